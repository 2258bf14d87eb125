"""A caller that reads slowly: what it misses is sound, oldest first; what it is told stays whole and in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.server_messages import (
    AgentResponse,
    Audio,
    ConversationInitiationMetadata,
    Error,
    Interruption,
    ServerMessage,
    UserTranscript,
)
from serve_app.errors import Unavailable
from serve_app.outbox import CLOSING_S, KEPT, MOST_AUDIO, MOST_EVENTS, Outbox
from tests.fakes.ports import Wire
from tests.virtual_time import run


def audio(event_id: int) -> Audio:
    return Audio(b"\0\0", event_id)


def response(event_id: int) -> AgentResponse:
    return AgentResponse("oi", event_id)


@asynccontextmanager
async def connected(outbox: Outbox, wire: Wire) -> AsyncIterator[None]:
    """The client takes what there is, until the connection breaks."""
    sending = asyncio.create_task(outbox.send(wire))
    yield
    await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.wait([sending])


def told(wire: Wire) -> list[tuple[str, int | None]]:
    """Type and id of what has come."""
    return [
        (frame["type"], next(v.get("event_id") for k, v in frame.items() if k != "type")) for _, frame in wire.frames
    ]


def sent(*messages: ServerMessage, outbox: Outbox | None = None) -> list[tuple[str, int | None]]:
    """What a client gets that reads only when all of them are there."""
    outbox = outbox or Outbox()
    wire = Wire()

    async def scenario() -> None:
        for message in messages:
            outbox.put(message)
        async with connected(outbox, wire):
            pass

    run(scenario())
    return told(wire)


def test_everything_is_sent_in_order_as_it_comes() -> None:
    wire, outbox = Wire(), Outbox()

    async def scenario() -> None:
        async with connected(outbox, wire):
            for number in range(3):
                outbox.put(audio(number))
                await asyncio.sleep(1)

    run(scenario())
    assert [at for at, _ in wire.frames] == [0, 1, 2]
    assert outbox.dropped == 0


def test_sound_that_is_too_old_is_dropped() -> None:
    outbox = Outbox()
    received = sent(*map(audio, range(MOST_AUDIO + 7)), outbox=outbox)
    assert received == [("audio", number) for number in range(7, MOST_AUDIO + 7)]
    assert outbox.dropped == 7


def test_an_interruption_drops_the_sound_before_it_and_none_after() -> None:
    received = sent(audio(1), response(2), audio(3), Interruption(4), audio(5))
    assert received == [("agent_response", 2), ("interruption", 4), ("audio", 5)]


KINDS = st.sampled_from([audio, response, Interruption, lambda i: UserTranscript("oi", i)])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(KINDS, st.integers(1, 100)), max_size=12))
def test_no_event_is_lost_and_nothing_changes_places(runs: list[tuple[Any, int]]) -> None:
    messages = [kind for kind, count in runs for _ in range(count)]
    numbered = [kind(number) for number, kind in enumerate(messages)]
    received = sent(*numbered)
    events = [(m.TYPE, m.event_id) for m in numbered if not isinstance(m, Audio)]
    assert [each for each in received if each[0] != "audio"] == events
    assert [number for _, number in received] == sorted(number for _, number in received)
    assert sum(kind == "audio" for kind, _ in received) <= MOST_AUDIO


def test_a_client_that_leaves_its_events_is_gone() -> None:
    outbox = Outbox()
    for number in range(MOST_EVENTS):
        outbox.put(response(number))
    outbox.put(audio(1))
    with pytest.raises(Unavailable):
        outbox.put(response(0))


def test_the_last_word_comes_after_all_the_others() -> None:
    wire = Wire()

    async def scenario() -> None:
        outbox = Outbox()
        outbox.put(response(1))
        await outbox.close(wire, Error(1008, "no", "value_error", "no"), 1008, "no")

    run(scenario())
    assert wire.types() == ["agent_response", "error"]
    assert wire.closed == (1008, "no")


def test_a_client_that_takes_nothing_is_closed_all_the_same() -> None:
    wire = Wire()
    wire.stuck = True

    async def scenario() -> float:
        outbox = Outbox()
        outbox.put(response(1))
        await outbox.close(wire, None, 1002, "gone")
        return asyncio.get_running_loop().time()

    assert run(scenario()) == CLOSING_S
    assert wire.closed == (1002, "gone")


def test_what_was_leaving_when_the_call_ended_is_not_lost() -> None:
    wire = Wire()
    wire.stuck = True

    async def scenario() -> None:
        outbox = Outbox()
        outbox.put(audio(1))
        outbox.put(response(2))
        async with connected(outbox, wire):
            await asyncio.sleep(1)
            outbox.put(Interruption(3))
        wire.stuck = False
        await outbox.close(wire, None, 1000, "over")

    run(scenario())
    assert wire.types() == ["audio", "agent_response", "interruption"]


# ---- a client that comes back

FIRST = ConversationInitiationMetadata("conv_1", "pcm_16000", "pcm_16000")


def resumed(received: int, sent_before: list[ServerMessage], waiting: list[ServerMessage]) -> tuple[list[Any], float]:
    """What comes over the second connection after its first message, and the seconds of sound said to be sent again."""
    outbox, again = Outbox(keeps=True), Wire()

    async def scenario() -> float:
        async with connected(outbox, Wire()):
            for message in sent_before:
                outbox.put(message)
                await asyncio.sleep(0)  # it leaves
        for message in waiting:
            outbox.put(message)
        resent_s = outbox.rewind(received, FIRST)
        async with connected(outbox, again):
            return resent_s

    resent_s = run(scenario())
    assert again.types()[0] == FIRST.TYPE
    return told(again)[1:], resent_s


def sound(event_id: int) -> Audio:
    return Audio(bytes(1280), event_id)


def test_what_was_lost_comes_again_and_what_waits_after_it() -> None:
    got, resent_s = resumed(2, [FIRST, sound(1), sound(2), response(3), sound(4)], [sound(5)])
    assert got == [("agent_response", 3), ("audio", 4), ("audio", 5)]
    assert resent_s == pytest.approx(0.08)


def test_nothing_was_lost() -> None:
    assert resumed(2, [FIRST, sound(1), sound(2)], [sound(3)]) == ([("audio", 3)], pytest.approx(0.04))


def test_a_client_that_has_received_nothing_gets_everything() -> None:
    got, resent_s = resumed(0, [FIRST, response(1), sound(2)], [])
    assert got == [("agent_response", 1), ("audio", 2)]
    assert resent_s == pytest.approx(0.04)


def test_one_that_was_away_for_longer_than_is_kept_gets_all_that_is() -> None:
    older, newest = range(10, 15), range(15, 15 + KEPT)
    got, resent_s = resumed(3, [FIRST, *map(sound, [*older, *newest])], [])
    assert got == [("audio", event_id) for event_id in newest]
    assert resent_s == pytest.approx(KEPT * 0.04)


def test_sound_that_an_interruption_has_flushed_is_not_sent_again() -> None:
    got, resent_s = resumed(1, [FIRST, sound(1), sound(2), sound(3), Interruption(4), sound(5)], [])
    assert got == [("interruption", 4), ("audio", 5)]
    assert resent_s == pytest.approx(0.04)


def test_an_id_of_the_future_is_the_newest_there_is() -> None:
    assert resumed(99, [FIRST, sound(1)], [sound(2)]) == ([("audio", 2)], pytest.approx(0.04))


def test_a_message_that_was_on_its_way_may_have_arrived() -> None:
    """Broken off while it was sent, it is still the first to send; the client says that it has it."""
    assert resumed(3, [FIRST, sound(1)], [sound(3), sound(4)]) == ([("audio", 4)], pytest.approx(0.04))


def test_a_client_that_comes_back_twice_without_news_gets_what_came_meanwhile() -> None:
    """What takes words back has the id of those words, which is older than the newest."""
    outbox, again = Outbox(keeps=True), Wire()

    async def scenario() -> None:
        for wire in (Wire(), Wire(), again):
            async with connected(outbox, wire):
                outbox.put(response(2) if wire is not again else response(3))
            outbox.rewind(5, FIRST)

    run(scenario())
    assert [event["event_id"] for event in again.events("agent_response")] == [2, 3]


def test_who_wants_to_know_is_told_what_has_left() -> None:
    left = list[int]()
    outbox, stuck, wire = Outbox(keeps=True, sent=left.append), Wire(), Wire()

    async def scenario() -> None:
        stuck.stuck = True
        outbox.put(audio(7))
        async with connected(outbox, stuck):
            pass
        assert left == [], "the client has not taken it"
        async with connected(outbox, wire):
            outbox.put(response(8))

    run(scenario())
    assert left == [7, 8]
