"""`python -m tests.faults`: see `report`."""

import sys

if __name__ == "__main__":
    from tests.faults.report import main  # here: the processes of the local recogniser import this module too

    sys.exit(main())
