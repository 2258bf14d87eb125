"""`python -m tests.soak`: see `soak`."""

import sys

if __name__ == "__main__":
    from tests.soak.soak import main

    sys.exit(main())
