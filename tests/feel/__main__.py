"""`python -m tests.feel`: see `feel`."""

import sys

if __name__ == "__main__":
    from tests.feel.feel import main

    sys.exit(main())
