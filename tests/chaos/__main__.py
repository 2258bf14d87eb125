"""`python -m tests.chaos`: see `chaos`."""

import sys

if __name__ == "__main__":
    from tests.chaos.chaos import main

    sys.exit(main())
