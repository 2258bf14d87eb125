"""A client that comes back to another replica, which knows the record alone."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serve_app.conversation.notes import GO_ON_NOTE
from serve_app.conversation.past import Past
from serve_app.conversation.playback import CHUNK_S
from serve_app.ports import LogEvent
from tests.caller import INITIATION
from tests.fakes.ports import ScriptedModel
from tests.returning_caller import GREETING, ReturningCaller, ids, recorded, sounds
from tests.spelling import joined, spelled, words
from tests.virtual_time import run


async def one_call(greeting: str, model: ScriptedModel) -> ReturningCaller:
    """A greeting, a question, an answer."""
    caller = ReturningCaller(greeting, model=model)
    await caller.sends(INITIATION)
    await caller.is_silent(len(greeting) * CHUNK_S + 0.5)
    await caller.sends('{"type":"user_message","text":"quanto custa?"}')
    await caller.is_silent(len(model.text) * CHUNK_S + 1)
    await caller.hangs_up(caller.wire)
    return caller


async def another_replica(past: Past, greeting: str, model: ScriptedModel, seconds: float = 12) -> ReturningCaller:
    caller = ReturningCaller(greeting, model=model, past=past)
    await caller.is_silent(seconds)
    await caller.hangs_up(caller.wire)
    return caller


ANSWER = "O bolo custa trinta reais. O menor custa vinte, e leva dois dias."
WHOLE_CALL = run(one_call(GREETING, ScriptedModel(ANSWER)))
CUTS = len(WHOLE_CALL.log.entries)


def heard_before(last_event_id: int) -> str:
    heard = zip(ids(WHOLE_CALL.wire), spelled(sounds(WHOLE_CALL.wire)), strict=True)
    return "".join(character for event_id, character in heard if event_id <= last_event_id)


def expected(events: Sequence[LogEvent]) -> str:
    """All that a caller should hear, to whom this was recorded. Told to go on, the scripted model begins anew."""
    if not any(event.kind == "user_turn" for event in events):
        return GREETING
    clauses = [event.data["text"] for event in events if event.kind == "clause" and event.data["turn"] == 2]
    if clauses and not any(event.kind == "answer" and event.data["turn"] == 2 for event in events):
        return " ".join([GREETING, *clauses, ANSWER])
    return f"{GREETING} {ANSWER}"


@pytest.mark.parametrize("cut", [*range(2, 9), *range(9, CUTS, 3), CUTS - 2, CUTS - 1])
def test_wherever_the_process_dies_every_word_is_heard_once(cut: int) -> None:
    """But the one that was cut off: it is said again from its beginning."""
    events = WHOLE_CALL.log.entries[:cut]
    sent = [event.data["event_id"] for event in events if event.kind == "audio"]
    last = sent[-1] if sent else 0
    caller = run(another_replica(recorded(events, last), GREETING, ScriptedModel(ANSWER)))
    assert joined([heard_before(last), spelled(sounds(caller.wire))]) == words(expected(events))
    everything = [event_id for event_id in ids(WHOLE_CALL.wire) if event_id <= last] + ids(caller.wire)
    assert everything == sorted(set(everything))
    assert [event.sequence for event in caller.log.entries] == list(range(len(caller.log.entries)))


def test_an_answer_that_was_being_written_is_gone_on_with() -> None:
    events = WHOLE_CALL.log.entries
    begun = next(n for n, event in enumerate(events) if event.kind == "clause" and event.data["turn"] == 2)
    caller = run(another_replica(recorded(events[: begun + 3], 10_000), GREETING, ScriptedModel("E leva dois dias.")))
    assert [message.content for message in caller.model.asked[0]][-2:] == ["O bolo custa trinta reais.", GO_ON_NOTE]
    assert words(spelled(sounds(caller.wire)))[-4:] == ["E", "leva", "dois", "dias"]


@given(cut=st.integers(8, CUTS - 1), lost=st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_what_was_lost_on_the_way_is_said_again(cut: int, lost: int) -> None:
    """Of the answer that was being given; the end of one that was over before is not worth going back to."""
    events = WHOLE_CALL.log.entries[:cut]
    sent = [event for event in events if event.kind == "audio"]
    received = sent[: max(0, len(sent) - lost)]
    assume(received)
    lost_events = events[events.index(received[-1]) :]
    assume(not any(event.kind == "user_turn" for event in lost_events))
    last = received[-1].data["event_id"]
    caller = run(another_replica(recorded(events, last), GREETING, ScriptedModel(ANSWER)))
    assert joined([heard_before(last), spelled(sounds(caller.wire))]) == words(expected(events))


def test_the_model_is_told_all_that_was_said_elsewhere() -> None:
    async def scenario() -> ReturningCaller:
        events = WHOLE_CALL.log.entries[:-1]
        past = recorded(events, ids(WHOLE_CALL.wire)[-1])
        caller = ReturningCaller(GREETING, model=ScriptedModel("Sim."), past=past)
        await caller.is_silent(1)
        await caller.sends('{"type":"user_message","text":"tem de chocolate?"}')
        await caller.is_silent(3)
        await caller.hangs_up(caller.wire)
        return caller

    caller = run(scenario())
    told = [(message.role, message.content.strip()) for message in caller.model.asked[-1] if message.role != "system"]
    assert told == [
        ("assistant", GREETING),
        ("user", "quanto custa?"),
        ("assistant", ANSWER),
        ("user", "tem de chocolate?"),
    ]
    assert {event.epoch for event in caller.log.entries[len(WHOLE_CALL.log.entries) - 1 :]} == {1}


def test_messages_that_were_lost_are_told_again() -> None:
    events = WHOLE_CALL.log.entries[:-1]
    asked = next(event.data["event_id"] for event in events if event.kind == "user_turn")
    caller = run(another_replica(recorded(events, asked - 1), GREETING, ScriptedModel(ANSWER)))
    assert [event["user_transcript"] for event in caller.wire.events("user_transcript")] == ["quanto custa?"]
    assert [event["agent_response"] for event in caller.wire.events("agent_response")] == [ANSWER]


def test_an_answer_that_goes_on_elsewhere_is_corrected_under_its_first_id() -> None:
    async def scenario() -> tuple[ReturningCaller, int]:
        events = WHOLE_CALL.log.entries
        begun = next(n for n, e in enumerate(events) if e.kind == "audio" and e.data["turn"] == 2)
        cut = events[: begun + 20]
        response = next(e.data["event_id"] for e in cut if e.kind == "agent_turn" and e.data["turn"] == 2)
        caller = ReturningCaller(GREETING, past=recorded(cut, cut[-1].data.get("event_id", 0)))
        await caller.is_silent(0.4)
        await caller.sends('{"type":"user_message","text":"pare"}')
        await caller.is_silent(0.5)
        await caller.hangs_up(caller.wire)
        return caller, response

    caller, response = run(scenario())
    corrections = [event for event in caller.wire.events("agent_response_correction") if event["event_id"] == response]
    assert [event["original_agent_response"] for event in corrections] == [ANSWER]
    assert ANSWER.startswith(corrections[0]["corrected_agent_response"])
    assert len(corrections[0]["corrected_agent_response"]) > 15


def test_a_long_call_is_not_over_because_it_has_moved() -> None:
    """Ten minutes are allowed, of which seven have passed, one of them without a connection."""
    events = list(recorded(WHOLE_CALL.log.entries[:-1], 0).events)
    away = {"last_event_id": 0, "same_replica": True, "away_secs": 60.0, "lost_events": 0}
    later = [(420.0, "resumed", away), (421.0, "context", {"text": "é sábado", "context_id": None})]
    for at, kind, data in later:
        events.append(LogEvent("conv_1", events[-1].sequence + 1, events[0].at_unix + at, kind, data))

    async def scenario() -> tuple[ReturningCaller, float]:
        caller = ReturningCaller("", past=Past(events, 10_000))
        begun = asyncio.get_running_loop().time()
        while not caller.running.done():
            await caller.is_silent(1)
            for ping in caller.wire.events("ping")[-1:]:
                await caller.sends(json.dumps({"type": "pong", "event_id": ping["event_id"]}))
        return caller, asyncio.get_running_loop().time() - begun

    caller, lasted_s = run(scenario())
    assert lasted_s == pytest.approx(600 - 361, abs=6)
    assert caller.wire.closed == (1000, "the conversation has lasted as long as max_duration_seconds allows")
