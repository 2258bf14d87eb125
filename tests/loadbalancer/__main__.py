"""`python -m tests.loadbalancer`: see `long_calls`."""

import sys

if __name__ == "__main__":
    from tests.loadbalancer.long_calls import main

    sys.exit(main())
