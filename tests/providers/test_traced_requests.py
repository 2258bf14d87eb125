"""Requests name the span that they are made for, and the span learns under which name the provider knows them."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

from serve_app.observability.correlation import Recorded
from serve_app.providers.request_ids import LONGEST, request_id
from tests.fakes.groq_server import FakeGroq
from tests.fakes.webhook_server import FakeWebhook
from tests.providers.chat_calls import ask
from tests.providers.test_groq_stt import transcribe
from tests.providers.webhook_calls import call, tool

TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


class Noted(Recorded):
    traceparent = TRACEPARENT

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def note(self, **attributes: Any) -> None:
        self.attributes |= attributes


@pytest.mark.parametrize(
    ("asks", "model"),
    [
        (lambda fake: ask(fake.chat_url), "llama-3.3-70b-versatile"),
        (lambda fake: transcribe(fake.url), "whisper-large-v3-turbo"),
    ],
    ids=["chat", "recognition"],
)
def test_a_request_to_groq(fake: FakeGroq, asks: Callable[[FakeGroq], object], model: str) -> None:
    with Noted() as span:
        asks(fake)
    assert fake.received[-1].headers["traceparent"] == TRACEPARENT
    assert "baggage" not in fake.received[-1].headers, "whose call it is concerns nobody else"
    assert span.attributes == {"model": model, "request_id": "req_1"}


def test_a_webhook() -> None:
    with FakeWebhook(lambda received: Response("{}", headers={"x-request-id": "r7"})) as server, Noted() as span:
        call(tool(f"{server.url}/orders", method="GET"))
        assert server.received[0].headers["traceparent"] == TRACEPARENT
    assert span.attributes == {"status": 200, "request_id": "r7"}


def test_without_a_trace_nothing_is_added(fake: FakeGroq) -> None:
    ask(fake.chat_url)
    assert "traceparent" not in fake.received[-1].headers


def test_names_of_requests() -> None:
    assert request_id({"x-request-id": "req_1", "request-id": "other"}) == "req_1"
    assert request_id({"request-id": "r" * 1000}) == "r" * LONGEST
    assert request_id({"server": "x"}) == ""
