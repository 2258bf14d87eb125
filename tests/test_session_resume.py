"""A client that loses its connection and comes back to the same replica."""

import asyncio
import base64
import json

import pytest

from serve_app.session import RESUME_WITHIN_S
from tests.caller import INITIATION, Call, agent, speech
from tests.fakes.ports import Wire
from tests.returning_caller import GREETING, ReturningCaller, ids, sounds
from tests.spelling import spelled, words
from tests.virtual_time import run


def test_who_asks_for_it_is_told_how_to_come_back() -> None:
    async def scenario() -> Wire:
        caller = ReturningCaller()
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
    async def scenario() -> tuple[ReturningCaller, Wire, int]:
        caller, again = ReturningCaller(), Wire()
        await caller.sends(INITIATION)
        await caller.leaves(after=20)
        received = ids(caller.wire)[-1 - unreceived]
        await asyncio.sleep(3)
        caller.session.reattach(again, received)
        await caller.is_silent(5)
        await caller.hangs_up(again)
        return caller, again, received

    caller, again, received = run(scenario())
    before = spelled(sounds(caller.wire))[: len(caller.wire.events("audio")) - unreceived]
    assert words(before + spelled(sounds(again))) == words(GREETING)
    assert ids(again)[0] > received
    assert again.types()[0] == "conversation_initiation_metadata"
    assert again.events("conversation_initiation_metadata")[0]["resume"]["resumed"] is True
    assert again.types().count("conversation_initiation_metadata") == 1
    everything = ids(caller.wire)[: len(before)] + ids(again)
    assert everything == sorted(set(everything))


def test_the_lost_sound_counts_as_heard_when_it_was_played_again() -> None:
    """The caller interrupts just after they are back: what was on its way when the line broke was not heard."""

    async def scenario() -> ReturningCaller:
        caller, again = ReturningCaller(), Wire()
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
    async def scenario() -> ReturningCaller:
        caller, again = ReturningCaller(greeting=""), Wire()
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
    async def scenario() -> tuple[ReturningCaller, float]:
        caller = ReturningCaller()
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
    async def scenario() -> tuple[ReturningCaller, Wire]:
        caller, again = ReturningCaller(), Wire()
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
    assert words(spelled(sounds(caller.wire)) + spelled(sounds(again))) == words(GREETING)


def test_the_callers_audio_goes_on_where_it_was_received() -> None:
    async def scenario() -> Wire:
        caller, again = ReturningCaller(greeting=""), Wire()
        await caller.sends(INITIATION)
        await caller.is_silent(1.2)
        caller.session.detach(caller.wire, 1006)
        caller.session.reattach(again, 0)
        await caller.hangs_up(again)
        return again

    [metadata] = run(scenario()).events("conversation_initiation_metadata")
    assert metadata["resume"]["received_audio_ms"] == 1200


def test_a_turn_that_the_connection_breaks_in_is_one_turn() -> None:
    async def scenario() -> ReturningCaller:
        caller, again = ReturningCaller(greeting=""), Wire()
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
    async def scenario() -> ReturningCaller:
        caller = ReturningCaller()
        await caller.sends(INITIATION)
        await caller.is_silent(1)
        caller.session.restart()
        await caller.running
        return caller

    caller = run(scenario())
    assert (caller.wire.closed or (None,))[0] == 1012
    assert "ended" not in caller.log.kinds()


def test_audio_that_was_not_looked_at_yet_is_not_counted_twice() -> None:
    """Of two connections at once: what the first brought, and nobody has read, comes again over the second."""

    async def scenario() -> tuple[ReturningCaller, Wire]:
        caller, again = ReturningCaller(greeting=""), Wire()
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


def test_metadata_that_had_not_left_is_not_sent_over_the_next_connection() -> None:
    async def scenario() -> Wire:
        caller, stuck, again = ReturningCaller(), Wire(), Wire()
        stuck.stuck = True
        await caller.sends(INITIATION)
        await caller.is_silent(0.5)
        for wire in (stuck, again):
            caller.session.reattach(wire, ids(caller.wire)[-1])
            await asyncio.sleep(0.01)
        await caller.is_silent(1)
        await caller.hangs_up(again)
        return again

    assert run(scenario()).types().count("conversation_initiation_metadata") == 1


def test_whoever_is_given_up_and_then_goes_is_not_waited_for() -> None:
    """Their client takes nothing more: the server's last words are under way when the connection breaks."""

    async def scenario() -> ReturningCaller:
        caller = ReturningCaller()
        await caller.sends(INITIATION)
        await caller.is_silent(5)
        caller.wire.stuck = True
        while not any(entry.kind == "ended" for entry in caller.log.entries):  # noqa: ASYNC110 - in virtual time
            await asyncio.sleep(0.1)
        caller.session.detach(caller.wire, 1006)
        await asyncio.wait_for(caller.running, RESUME_WITHIN_S / 2)
        return caller

    [ended] = [entry.data for entry in run(scenario()).log.entries if entry.kind == "ended"]
    assert ended["close_code"] == 1002
