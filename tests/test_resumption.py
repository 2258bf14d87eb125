import asyncio
from typing import Any

import pytest

from serve_app.conversation.past import Past
from serve_app.errors import ClientError, StoreError, Unavailable
from serve_app.ports import LogEvent
from serve_app.resumption import Return, look_up, take_over
from serve_app.tickets import Ticket
from tests.fakes.ports import MemoryLog

TICKET = Ticket("secret", 1e12)
BACK = Return("conv_1", "secret", 7)


def log(*kinds: str, ticket: Ticket | None = TICKET) -> MemoryLog:
    log = MemoryLog()
    started = {"resume": ticket.record if ticket else None, "agent_id": "default", "tenant": "agent:default"}
    for sequence, kind in enumerate(["started", *kinds]):
        log.append(LogEvent("conv_1", sequence, 0.0, kind, started if kind == "started" else {}))
    return log


async def move(log: Any, back: Return = BACK) -> Past:
    return await take_over(await look_up(back, log), back, log)


def moved(log: Any, back: Return = BACK) -> Past:
    return asyncio.run(move(log, back))


def test_a_conversation_is_known_with_its_ticket_its_tenant_and_its_agent() -> None:
    known = asyncio.run(look_up(BACK, log("user_turn")))
    assert (known.ticket, known.tenant, known.agent_id) == (TICKET, "agent:default", "default")


def test_whoever_it_was_transferred_to_is_known() -> None:
    transferred = log()
    transferred.append(LogEvent("conv_1", 1, 0.0, "transfer", {"agent_id": "sales"}))
    assert asyncio.run(look_up(BACK, transferred)).agent_ids == {"default", "sales"}


def test_a_conversation_moves() -> None:
    past = moved(log("user_turn"))
    assert past.last_event_id == 7
    assert [event.kind for event in past.events] == ["started", "user_turn"]


@pytest.mark.parametrize(
    ("log", "back", "reason"),
    [
        (MemoryLog(), BACK, "no such conversation is known here"),
        (log(), Return("conv_2", "secret", 0), "no such conversation is known here"),
        (log(), Return("conv_1", "wrong", 0), "not this conversation's"),
        (log(ticket=None), BACK, "not this conversation's"),
        (log(ticket=Ticket("secret", 1.0)), BACK, "expired"),
        (log("ended"), BACK, "is over"),
    ],
)
def test_who_may_not_come_in_is_told_why_and_nothing_moves(log: MemoryLog, back: Return, reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        moved(log, back)
    assert asyncio.run(log.take_over("conv_1", 1)), "nobody has taken it over"


def test_of_two_who_come_at_once_one_is_told_to_try_again() -> None:
    both = log()

    async def scenario() -> list[Any]:
        return await asyncio.gather(move(both), move(both), return_exceptions=True)

    first, second = asyncio.run(scenario())
    assert isinstance(first, Past)
    assert isinstance(second, Unavailable)


class TakenMeanwhile(MemoryLog):
    """Its owner writes until the very moment of the takeover, and the call may end then."""

    def __init__(self, last: str) -> None:
        super().__init__()
        self.entries = log().entries
        self._last = last

    async def take_over(self, conversation_id: str, epoch: int) -> bool:
        self.append(LogEvent("conv_1", 1, 0.0, self._last, {}))
        return await super().take_over(conversation_id, epoch)


def test_what_its_owner_has_written_until_then_is_known() -> None:
    assert [event.kind for event in moved(TakenMeanwhile("context")).events] == ["started", "context"]
    with pytest.raises(ClientError, match="is over"):
        moved(TakenMeanwhile("ended"))


class Away(MemoryLog):
    async def events(self, conversation_id: str) -> list[LogEvent]:
        raise StoreError("PostgreSQL is away")


def test_while_nothing_can_be_read_the_client_shall_try_again() -> None:
    with pytest.raises(Unavailable, match="try again"):
        moved(Away())


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"resume_token": "t"}, "conversation_id"),
        ({"resume_token": "t", "conversation_id": "c", "last_event_id": "-1"}, "last_event_id"),
        ({"resume_token": "t", "conversation_id": "c", "last_event_id": "x"}, "last_event_id"),
        ({"resume_token": "t", "conversation_id": "c", "last_event_id": "9" * 5000}, "last_event_id"),
    ],
)
def test_what_the_url_lacks_is_said(query: dict[str, str], reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        Return.of(query)


def test_no_event_id_means_none_was_received() -> None:
    assert Return.of({"resume_token": "t", "conversation_id": "c"}) == Return("c", "t", 0)
