"""What the clients of Groq, of chat and of transcription alike, make of its faults."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.fakes.groq_server import FakeGroq, Fault

TOLD = (
    (Fault.BAD_KEY, "HTTP 401: check the API key"),
    (Fault.RATE_LIMIT, "HTTP 429: the key's rate limit"),
    (Fault.SERVER_ERROR, "HTTP 500: the provider is in trouble"),
    (Fault.EARLY_CLOSE, "no connection"),
    (Fault.RESET, "no connection"),
)
"""Faults whose message is the same for both."""


@contextmanager
def one_error(fake: FakeGroq, kind: type[Exception], message: str, *, secrets: Sequence[str]) -> Iterator[None]:
    """What is run here asks once, and ends in an error that matches `message` and tells none of `secrets`."""
    with pytest.raises(kind, match=message) as caught:
        yield
    assert len(fake.received) <= 1, "never retried"
    assert not any(secret in str(caught.value) for secret in secrets)
