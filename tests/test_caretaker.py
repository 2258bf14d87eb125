"""Real sessions on virtual time. How a replica learns that it has to go is in test_drain.py."""

import asyncio

import pytest

from serve_app import caretaker
from serve_app.caretaker import LOOKS_EVERY_S, Caretaker
from serve_app.conversation.agent import Agent
from serve_app.drain import LAST_S, MOVING_S, Drain
from tests.caller import INITIATION, Call, agent
from tests.health_check import health_check
from tests.virtual_time import run

STORY = "Era uma vez um gato xadrez. " * 20  # 40 s


def ended(call: Call, drain: Drain) -> float:
    """When, on the loop clock: the replica it is on is to go, and the caller says nothing."""

    async def scenario() -> float:
        caring = Caretaker([call.session])
        caring.drain = drain
        watching = asyncio.create_task(caring.watch())
        running = asyncio.create_task(call.session.run())
        await call.sends(INITIATION)
        await running
        watching.cancel()
        return asyncio.get_running_loop().time()

    return run(scenario())


@pytest.mark.parametrize(
    ("described", "ends_at", "moves_at"),
    [
        (agent(), MOVING_S + 10, 10),
        (agent(), MOVING_S - 10, 0),
        (agent(STORY), 15, 15 - LAST_S),
    ],
    ids=["idle", "idle, little time", "the agent speaks"],
)
def test_calls_move_when_nobody_speaks_and_at_the_end_in_any_case(
    described: Agent, ends_at: float, moves_at: float
) -> None:
    call = Call(described)
    assert ended(call, Drain(ends_at)) == pytest.approx(moves_at, abs=2 * LOOKS_EVERY_S)
    assert call.wire.closed
    assert call.wire.closed[0] == 1012
    assert "connect again" in str(call.wire.closed[1])


def test_who_leaves_the_most_unread_goes_before_all_suffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caretaker, "MOST_UNREAD", 1000)

    async def scenario() -> list[tuple[int, str | None] | None]:
        calls = [Call() for _ in range(3)]
        for call, messages in zip(calls, (1, 20, 5), strict=True):
            for _ in range(messages):
                call.session.receive(INITIATION)
        caring = asyncio.create_task(Caretaker([call.session for call in calls]).watch())
        await asyncio.sleep(1.5 * LOOKS_EVERY_S)  # nobody has read a message yet
        running = [asyncio.create_task(call.session.run()) for call in calls]
        await running[1]
        for call in (calls[0], calls[2]):
            call.session.detach(call.wire, 1000)
        await asyncio.wait(running)
        caring.cancel()
        return [call.wire.closed for call in calls]

    modest, greedy, other = run(scenario())
    assert (modest, other) == (None, None)
    assert greedy
    assert greedy[0] == 1013
    assert "more messages wait" in str(greedy[1])


def test_the_replica_s_health_check_begins_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caretaker, "LOOKS_EVERY_S", 0.01)
    monkeypatch.setenv(caretaker.DRAINS_FOR, "1")

    async def scenario() -> Call:
        call = Call()
        caring = Caretaker([call.session])
        with health_check(503, "DRAINING") as port:
            caring.address = ("127.0.0.1", port)
            watching = asyncio.create_task(caring.watch())
            running = asyncio.create_task(call.session.run())
            await call.sends(INITIATION)
            await running
            watching.cancel()
        return call

    closed = asyncio.run(scenario()).wire.closed
    assert closed
    assert closed[0] == 1012


def test_a_replica_that_stays_takes_calls() -> None:
    async def takes(drain: Drain | None) -> bool:
        caring = Caretaker([])
        caring.drain = drain
        return caring.takes_calls

    assert run(takes(None))
    assert run(takes(Drain(MOVING_S + 1)))
    assert not run(takes(Drain(MOVING_S - 1)))
