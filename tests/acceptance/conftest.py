"""One server for all acceptance tests of a run: the real thing, started as `make run` starts it.

It lives as long as this package's tests: beside the others, Ray would keep two cores too busy for tests that wait.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.server import Server, running_server


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder, running_server(Path(folder)) as running:
        yield running
