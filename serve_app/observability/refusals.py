"""Callers who were turned away before they had a conversation, by reason."""

from serve_app.admission import AGENT_FULL, BUSY, STRAINED, TENANT_FULL
from serve_app.conversation.quota import TOO_OFTEN
from serve_app.errors import ClientError, HelloError, Restarting
from serve_app.observability.metrics import counter

_FULL = {BUSY: "busy", STRAINED: "strained", TENANT_FULL: "tenant", AGENT_FULL: "agent", TOO_OFTEN: "tenant_rate"}


class Refusals:
    def __init__(self) -> None:
        self._counter = counter("hello_refused_total", "Callers who got no conversation, by the reason.", "reason")

    def __call__(self, error: HelloError) -> None:
        self._counter.inc(tags={"reason": reason(error)})


def reason(error: HelloError) -> str:
    """A few words, whatever the error says."""
    match error:
        case ClientError():
            return "not_permitted"
        case Restarting():
            return "restarting"
        case _:
            return _FULL.get(error.message, "unavailable")
