from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.groq_fixtures import fake, groq_server
from tests.fakes.groq_server import FakeGroq

__all__ = ["fake", "groq_server", "http"]


@pytest.fixture(scope="module")
def http(groq_server: FakeGroq) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=groq_server.url, headers={"authorization": "Bearer gsk_test"}, timeout=5) as http:
        yield http
