"""A client that loses its connection and comes back: to the same replica, and to one that knows the record alone.

The voice speaks one character in each message, at a level that tells which: what was heard can be read.
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncGenerator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.agent import Voice
from serve_app.conversation.notes import GO_ON_NOTE
from serve_app.conversation.past import Past
from serve_app.conversation.playback import CHUNK_S
from serve_app.parts import Parts
from serve_app.ports import Alignment, LogEvent, SpeechChunk
from serve_app.session import RESUME_WITHIN_S, Session
from serve_app.tickets import Ticket
from tests.caller import INITIATION, Call, agent, speech
from tests.fakes.ports import (
    ScriptedModel,
    ScriptedSpeaker,
    Wire,
)
from tests.virtual_time import run

GREETING = "Bom dia. Aqui fala a padaria da esquina, em que posso ajudar hoje?"
TICKET = Ticket("secret", 1e12)


class SpellingSpeaker(ScriptedSpeaker):
    """Each character sounds for one message's time."""

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        with self._work():
            self.said.append(text)
            for character in text:
                await asyncio.sleep(0)
                samples = np.full(round(CHUNK_S * 16_000), 100 * ord(character), np.int16)
                yield SpeechChunk(samples.tobytes(), Alignment((character,), (0,), (40,)))


def spelled(wire: Wire) -> str:
    """What was heard over this connection."""
    return "".join(chr(int(np.frombuffer(sound, np.int16)[0]) // 100) for sound in sounds(wire))


def sounds(wire: Wire) -> list[bytes]:
    return [base64.b64decode(event["audio_base_64"]) for event in wire.events("audio")]


def ids(wire: Wire) -> list[int]:
    return [event["event_id"] for event in wire.events("audio")]


class Caller(Call):
    """Who has asked to be able to come back. `past`: and has been here before."""

    def __init__(
        self, greeting: str = GREETING, *, model: ScriptedModel | None = None, past: Past | None = None
    ) -> None:
        super().__init__(agent(greeting), speaker=SpellingSpeaker(), model=model)
        if past:
            self.log.entries = list(past.events)
        self.session = session(self, past)
        self.session.attach(self.wire)
        self.running = asyncio.create_task(self.session.run())

    async def leaves(self, after: int) -> None:
        """The connection breaks when so many messages of sound have come, or two more."""
        for _ in range(after):
            await asyncio.sleep(CHUNK_S)
        self.session.detach(self.wire, 1006)

    async def hangs_up(self, wire: Wire) -> None:
        self.session.detach(wire, 1000)
        await self.running


def session(call: Call, past: Past | None) -> Session:
    parts = Parts(call.transcriber, call.speaker, call.model, call.webhooks, call.judge, call.log, call.waits.append)
    epoch = past.epoch + 1 if past else 0
    return Session("conv_1", "default", {"default": call.agent}, parts, ticket=TICKET, past=past, epoch=epoch)


# ---- the same replica


def test_who_asks_for_it_is_told_how_to_come_back() -> None:
    async def scenario() -> Wire:
        caller = Caller()
        await caller.sends(INITIATION)
        await caller.hangs_up(caller.wire)
        return caller.wire

    [metadata] = run(scenario()).events("conversation_initiation_metadata")
    assert metadata["resume"].pop("expires_in_secs") > 0
    assert metadata["resume"] == {"token": "secret", "received_audio_ms": 0, "resumed": False}


def test_nobody_else_is_told_anything_new() -> None:
    async def scenario() -> Wire:
        call = Call(agent())
        running = asyncio.create_task(call.session.run())
        await call.sends(INITIATION)
        call.session.detach(call.wire, 1006)
        await running
        return call.wire

    assert "resume" not in run(scenario()).events("conversation_initiation_metadata")[0]


@pytest.mark.parametrize("unreceived", [0, 1, 3])
def test_the_voice_goes_on_where_the_client_has_lost_it(unreceived: int) -> None:
    async def scenario() -> tuple[Caller, Wire, int]:
        caller, again = Caller(), Wire()
        await caller.sends(INITIATION)
        await caller.leaves(after=20)
        received = ids(caller.wire)[-1 - unreceived]
        await asyncio.sleep(3)
        caller.session.reattach(again, received)
        await caller.is_silent(5)
        await caller.hangs_up(again)
        return caller, again, received

    caller, again, received = run(scenario())
    before = spelled(caller.wire)[: len(caller.wire.events("audio")) - unreceived]
    assert words(before + spelled(again)) == words(GREETING)
    assert ids(again)[0] > received
    assert again.types()[0] == "conversation_initiation_metadata"
    assert again.events("conversation_initiation_metadata")[0]["resume"]["resumed"] is True
    assert again.types().count("conversation_initiation_metadata") == 1
    everything = ids(caller.wire)[: len(before)] + ids(again)
    assert everything == sorted(set(everything))


def test_the_lost_sound_counts_as_heard_when_it_was_played_again() -> None:
    """The caller interrupts just after they are back: what was on its way when the line broke was not heard."""

    async def scenario() -> Caller:
        caller, again = Caller(), Wire()
        await caller.sends(INITIATION)
        await caller.leaves(after=20)
        caller.session.reattach(again, ids(caller.wire)[8])  # "Bom dia. " and eleven characters lost
        await caller.sends('{"type":"user_message","text":"oi"}')
        await caller.is_silent(1)
        await caller.hangs_up(again)
        return caller

    caller = run(scenario())
    [correction] = [entry.data for entry in caller.log.entries if entry.kind == "correction"]
    assert correction["corrected"] == "Bom dia."


def test_while_nobody_is_there_no_time_passes() -> None:
    async def scenario() -> Caller:
        caller, again = Caller(greeting=""), Wire()
        await caller.sends(INITIATION)
        await caller.is_silent(2)
        for _ in range(3):
            caller.session.detach(caller.session._presence.socket, 1006)  # type: ignore[arg-type]
            await asyncio.sleep(RESUME_WITHIN_S - 1)
            caller.session.reattach(again, 0)
            await caller.is_silent(0.5)
        await caller.hangs_up(again)
        return caller

    caller = run(scenario())
    assert not caller.speaker.said, "177 s are no silence of the caller's"
    assert caller.log.kinds()["resumed"] == 3
    assert [e.data["away_secs"] for e in caller.log.entries if e.kind == "resumed"] == [59, 59, 59]
    ended = caller.log.entries[-1].data
    assert ended["duration_secs"] == pytest.approx(3.5 + 3 * 59, abs=0.2)


def test_who_does_not_come_back_has_hung_up() -> None:
    async def scenario() -> tuple[Caller, float]:
        caller = Caller()
        await caller.sends(INITIATION)
        await caller.leaves(after=5)
        left = asyncio.get_running_loop().time()
        await caller.running
        return caller, asyncio.get_running_loop().time() - left

    caller, waited_s = run(scenario())
    assert waited_s == pytest.approx(RESUME_WITHIN_S)
    ended = caller.log.entries[-1]
    assert (ended.kind, ended.data["status"], ended.data["reason"]) == ("ended", "done", "client disconnected")


def test_a_second_connection_takes_the_firsts_place() -> None:
    async def scenario() -> tuple[Caller, Wire]:
        caller, again = Caller(), Wire()
        await caller.sends(INITIATION)
        await caller.is_silent(0.5)
        caller.session.reattach(again, ids(caller.wire)[-1])
        await caller.is_silent(1)
        caller.session.detach(caller.wire, 4001)  # its handler has noticed
        await caller.is_silent(5)
        await caller.hangs_up(again)
        return caller, again

    caller, again = run(scenario())
    assert (caller.wire.closed or (None,))[0] == 4001
    assert words(spelled(caller.wire) + spelled(again)) == words(GREETING)


def test_the_callers_audio_goes_on_where_it_was_received() -> None:
    async def scenario() -> Wire:
        caller, again = Caller(greeting=""), Wire()
        await caller.sends(INITIATION)
        await caller.is_silent(1.2)
        caller.session.detach(caller.wire, 1006)
        caller.session.reattach(again, 0)
        await caller.hangs_up(again)
        return again

    [metadata] = run(scenario()).events("conversation_initiation_metadata")
    assert metadata["resume"]["received_audio_ms"] == 1200


def test_a_turn_that_the_connection_breaks_in_is_one_turn() -> None:
    async def scenario() -> Caller:
        caller, again = Caller(greeting=""), Wire()
        await caller.sends(INITIATION)
        await caller.sounds(speech()[:12_000])
        caller.session.detach(caller.wire, 1006)
        await asyncio.sleep(20)
        caller.session.reattach(again, 0)
        await caller.sounds(speech()[12_000:])
        await caller.is_silent(3)
        await caller.hangs_up(again)
        return caller

    caller = run(scenario())
    assert caller.log.kinds()["user_turn"] == 1
    assert len(caller.transcriber.heard[-1]) / 2 > len(speech()) - 8000


def test_a_server_that_is_replaced_leaves_the_conversation_open() -> None:
    async def scenario() -> Caller:
        caller = Caller()
        await caller.sends(INITIATION)
        await caller.is_silent(1)
        caller.session.restart()
        await caller.running
        return caller

    caller = run(scenario())
    assert (caller.wire.closed or (None,))[0] == 1012
    assert "ended" not in caller.log.kinds()


# ---- another replica


def recorded(events: Sequence[LogEvent], last_event_id: int) -> Past:
    """As it comes out of the store."""
    return Past([json_copy(event) for event in events], last_event_id)


def json_copy(event: LogEvent) -> LogEvent:
    return LogEvent(
        event.conversation_id,
        event.sequence,
        event.at_unix,
        event.kind,
        json.loads(json.dumps(event.data)),
        event.epoch,
    )


async def one_call(greeting: str, model: ScriptedModel) -> Caller:
    """A greeting, a question, an answer."""
    caller = Caller(greeting, model=model)
    await caller.sends(INITIATION)
    await caller.is_silent(len(greeting) * CHUNK_S + 0.5)
    await caller.sends('{"type":"user_message","text":"quanto custa?"}')
    await caller.is_silent(len(model.text) * CHUNK_S + 1)
    await caller.hangs_up(caller.wire)
    return caller


async def another_replica(past: Past, greeting: str, model: ScriptedModel, seconds: float = 12) -> Caller:
    caller = Caller(greeting, model=model, past=past)
    await caller.is_silent(seconds)
    await caller.hangs_up(caller.wire)
    return caller


ANSWER = "O bolo custa trinta reais. O menor custa vinte, e leva dois dias."
WHOLE_CALL = run(one_call(GREETING, ScriptedModel(ANSWER)))
CUTS = len(WHOLE_CALL.log.entries)


def heard_before(last_event_id: int) -> str:
    heard = zip(ids(WHOLE_CALL.wire), spelled(WHOLE_CALL.wire), strict=True)
    return "".join(character for event_id, character in heard if event_id <= last_event_id)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def joined(before: str, after: str) -> list[str]:
    """Word by word. The one that was cut off may have been said again, from its beginning."""
    first, then = words(before), words(after)
    if first and then and then[0].startswith(first[-1]):
        first.pop()
    return first + then


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
    assert joined(heard_before(last), spelled(caller.wire)) == words(expected(events))
    everything = [event_id for event_id in ids(WHOLE_CALL.wire) if event_id <= last] + ids(caller.wire)
    assert everything == sorted(set(everything))
    assert [event.sequence for event in caller.log.entries] == list(range(len(caller.log.entries)))


def test_an_answer_that_was_being_written_is_gone_on_with() -> None:
    events = WHOLE_CALL.log.entries
    begun = next(n for n, event in enumerate(events) if event.kind == "clause" and event.data["turn"] == 2)
    caller = run(another_replica(recorded(events[: begun + 3], 10_000), GREETING, ScriptedModel("E leva dois dias.")))
    assert [message.content for message in caller.model.asked[0]][-2:] == ["O bolo custa trinta reais.", GO_ON_NOTE]
    assert words(spelled(caller.wire))[-4:] == ["E", "leva", "dois", "dias"]


@given(cut=st.integers(8, CUTS - 1), lost=st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_what_was_lost_on_the_way_is_said_again(cut: int, lost: int) -> None:
    """Of the answer that was being given; the end of one that was over before is not worth going back to."""
    events = WHOLE_CALL.log.entries[:cut]
    sent = [event for event in events if event.kind == "audio"]
    received = sent[: max(0, len(sent) - lost)]
    if not received or received[-1].data["turn"] != max(event.data.get("turn", 0) for event in events):
        return
    last = received[-1].data["event_id"]
    caller = run(another_replica(recorded(events, last), GREETING, ScriptedModel(ANSWER)))
    assert joined(heard_before(last), spelled(caller.wire)) == words(expected(events))


def test_the_model_is_told_all_that_was_said_elsewhere() -> None:
    async def scenario() -> Caller:
        events = WHOLE_CALL.log.entries[:-1]
        past = recorded(events, ids(WHOLE_CALL.wire)[-1])
        caller = Caller(GREETING, model=ScriptedModel("Sim."), past=past)
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
    async def scenario() -> tuple[Caller, int]:
        events = WHOLE_CALL.log.entries
        begun = next(n for n, e in enumerate(events) if e.kind == "audio" and e.data["turn"] == 2)
        cut = events[: begun + 20]
        response = next(e.data["event_id"] for e in cut if e.kind == "agent_turn" and e.data["turn"] == 2)
        caller = Caller(GREETING, past=recorded(cut, cut[-1].data.get("event_id", 0)))
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


def test_audio_that_was_not_looked_at_yet_is_not_counted_twice() -> None:
    """Of two connections at once: what the first brought, and nobody has read, comes again over the second."""

    async def scenario() -> tuple[Caller, Wire]:
        caller, again = Caller(greeting=""), Wire()
        await caller.sends(INITIATION)
        await caller.is_silent(1)
        lump = json.dumps({"user_audio_chunk": base64.b64encode(bytes(3200)).decode()})
        caller.session.receive(lump)
        caller.session.receive('{"type":"contextual_update","text":"é sábado"}')
        caller.session.receive(lump)
        caller.session.reattach(again, 0)
        await caller.is_silent(0.5)
        await caller.hangs_up(again)
        return caller, again

    caller, again = run(scenario())
    assert again.events("conversation_initiation_metadata")[0]["resume"]["received_audio_ms"] == 1000
    assert caller.session._sound
    assert caller.session._sound.received_s == pytest.approx(1.5)
    assert caller.log.kinds()["context"] == 1, "what is typed does not come again"


def test_a_long_call_is_not_over_because_it_has_moved() -> None:
    """Ten minutes are allowed, of which seven have passed, one of them without a connection."""
    events = list(recorded(WHOLE_CALL.log.entries[:-1], 0).events)
    away = {"last_event_id": 0, "same_replica": True, "away_secs": 60.0, "lost_events": 0}
    later = [(420.0, "resumed", away), (421.0, "context", {"text": "é sábado", "context_id": None})]
    for at, kind, data in later:
        events.append(LogEvent("conv_1", events[-1].sequence + 1, events[0].at_unix + at, kind, data))

    async def scenario() -> tuple[Caller, float]:
        caller = Caller("", past=Past(events, 10_000))
        begun = asyncio.get_running_loop().time()
        while not caller.running.done():
            await caller.is_silent(1)
            for ping in caller.wire.events("ping")[-1:]:
                await caller.sends(json.dumps({"type": "pong", "event_id": ping["event_id"]}))
        return caller, asyncio.get_running_loop().time() - begun

    caller, lasted_s = run(scenario())
    assert lasted_s == pytest.approx(600 - 361, abs=6)
    assert caller.wire.closed == (1000, "the conversation has lasted as long as max_duration_seconds allows")
