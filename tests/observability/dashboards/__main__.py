"""`python -m tests.observability.dashboards`: see `run`."""

import sys

if __name__ == "__main__":
    from tests.observability.dashboards.run import main

    sys.exit(main())
