"""A fake Groq for each test module, as new for each test."""

from collections.abc import Iterator

import pytest

from tests.fakes.groq_server import FakeGroq


@pytest.fixture(scope="module")
def groq_server() -> Iterator[FakeGroq]:
    with FakeGroq() as server:
        yield server


@pytest.fixture
def fake(groq_server: FakeGroq) -> FakeGroq:
    groq_server.reset()
    return groq_server
