"""One server for all acceptance tests of a run: the real thing, started as `make run` starts it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.server import Server, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder, running_server(Path(folder)) as running:
        yield running
