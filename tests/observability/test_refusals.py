import pytest

from serve_app.admission import AGENT_FULL, BUSY, STRAINED, TENANT_FULL
from serve_app.conversation.quota import TOO_OFTEN
from serve_app.errors import ClientError, HelloError, InvalidMessage, Restarting, StoreError, Unavailable
from serve_app.observability import refusals
from serve_app.observability.refusals import Refusals, reason
from tests.observability.instruments import Instruments


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable(BUSY), "busy"),
        (Unavailable(STRAINED), "strained"),
        (Unavailable(TENANT_FULL), "tenant"),
        (Unavailable(AGENT_FULL), "agent"),
        (Unavailable(TOO_OFTEN), "tenant_rate"),
        (ClientError("there is no agent 'my secret'"), "not_permitted"),
        (InvalidMessage("what is this"), "not_permitted"),
        (Restarting("come again"), "restarting"),
        (StoreError("the database is away"), "unavailable"),
    ],
)
def test_a_reason_holds_nothing_of_what_was_asked(error: HelloError, told: str) -> None:
    assert reason(error) == told


def test_they_are_counted_by_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    instruments = Instruments(monkeypatch, refusals)
    refused = Refusals()
    for error in (Unavailable(BUSY), Unavailable(BUSY), ClientError("no")):
        refused(error)
    assert instruments["hello_refused_total"].sums == {(("reason", "busy"),): 2, (("reason", "not_permitted"),): 1}
