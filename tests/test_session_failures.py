"""Sessions in which a part fails or the client misbehaves: the caller is told, and nothing is left behind."""

import asyncio
from typing import Any

import pytest

from serve_app.conversation.lines import line
from serve_app.errors import LanguageModelError, SpeechError, TranscriptionError, Unavailable
from serve_app.session import LONGEST_BACKLOG
from tests.caller import INITIATION, Call, a_turn, agent, play
from tests.fakes.ports import ScriptedJudge, ScriptedModel, ScriptedSpeaker, ScriptedTranscriber

# ---- failures of ours


def test_a_recogniser_that_fails_is_said_aloud() -> None:
    call = play(a_turn, transcriber=ScriptedTranscriber(fault=TranscriptionError("down")))
    assert call.wire.events("agent_response")[0]["agent_response"] == line("trouble", "pt")
    assert "error" in call.kinds()


def test_a_model_that_fails_is_said_aloud() -> None:
    call = play(a_turn, model=ScriptedModel("", fault=LanguageModelError("down")))
    assert call.wire.events("agent_response")[0]["agent_response"] == line("trouble", "pt")


def test_a_voice_that_fails_ends_the_call_with_the_reason() -> None:
    call = play(a_turn, speaker=ScriptedSpeaker(0, fault=SpeechError("no voice here")), hangs_up=False)
    error = call.wire.events("error")[0]
    assert (error["code"], error["error_type"], error["message"]) == (1002, "tts_cascade_error", "no voice here")
    assert call.wire.types()[-1] == "error"
    assert call.wire.closed == (1002, "no voice here")
    assert call.log.entries[-1].data["status"] == "failed"


@pytest.mark.parametrize("part", ["transcriber", "model", "speaker", "judge"])
def test_a_bug_in_a_part_ends_this_call_and_says_no_more_than_that(part: str, caplog: pytest.LogCaptureFixture) -> None:
    kinds: dict[str, Any] = {
        "transcriber": ScriptedTranscriber,
        "model": ScriptedModel,
        "speaker": ScriptedSpeaker,
        "judge": ScriptedJudge,
    }
    call = play(a_turn, hangs_up=False, **{part: kinds[part](fault=KeyError("secret"))})
    [error] = call.wire.events("error")
    assert (error["code"], error["error_type"], error["message"]) == (1011, "unknown", "internal error")
    assert call.wire.closed == (1011, "internal error")
    assert call.log.entries[-1].data["reason"] == "internal error"
    assert "unexpected KeyError" in caplog.text
    assert "test_session_failures" in caplog.text or "ports.py" in caplog.text, "where it happened"
    assert "secret" not in caplog.text


def test_a_server_that_stops_says_so() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await asyncio.sleep(1)
        call.session.end(Unavailable("shutting down"))

    call = play(score, hangs_up=False)
    assert call.wire.events("error") == [], "ElevenLabs' error events know no such code"
    assert call.wire.closed == (1013, "shutting down")


# ---- bad clients


MALFORMED = {
    "not JSON": "hello",
    "an array": "[1]",
    "wrong type": '{"type":"pong","event_id":"one"}',
    "bad base64": '{"user_audio_chunk":"***"}',
    "odd bytes": '{"user_audio_chunk":"AAAA"}',
    "oversize": '{"user_audio_chunk":"' + "A" * (1 << 20) + '"}',
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_frame_ends_the_call_with_the_reason(frame: str) -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.sends(frame)

    call = play(score, hangs_up=False)
    assert call.wire.types() == ["conversation_initiation_metadata", "error"]
    [error] = call.wire.events("error")
    assert (error["code"], error["error_type"]) == (1008, "invalid_message")
    assert call.wire.closed is not None
    code, reason = call.wire.closed
    assert code == 1008
    assert reason
    assert error["message"].startswith(reason)
    assert len(reason.encode()) <= 123
    assert call.kinds() == ["started", "ended"]
    assert call.log.entries[-1].data["error"]["error_type"] == "invalid_message"


def test_before_metadata_not_even_an_error_is_sent() -> None:
    async def score(call: Call) -> None:
        await call.sends("hello")

    call = play(score, hangs_up=False)
    assert call.wire.frames == []
    assert call.wire.closed is not None
    assert call.wire.closed[0] == 1008


def test_an_empty_chunk_of_audio_is_nothing() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.sends('{"user_audio_chunk":""}')
        await asyncio.sleep(0.5)

    assert play(score).kinds() == ["started", "ended"]


@pytest.mark.parametrize("after_s", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 2.9, 3.3])
def test_a_client_gone_in_the_middle_leaves_nothing_behind(after_s: float) -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        hearing = asyncio.create_task(a_turn(call))
        await asyncio.sleep(after_s)
        hearing.cancel()

    call = play(score, agent("Olá!"), speaker=ScriptedSpeaker(5, hangs=True))
    assert call.kinds()[-1] == "ended"
    assert call.speaker.cancelled == call.speaker.begun


def test_a_client_gone_while_every_part_is_at_work_leaves_nothing_behind() -> None:
    call = play(
        a_turn,
        transcriber=ScriptedTranscriber(delay_s=0.05),
        model=ScriptedModel("Pois não, sai já. Um café", hangs=True),
        speaker=ScriptedSpeaker(0.5, hangs=True),
        judge=ScriptedJudge(hangs=True),
    )
    assert call.model.cancelled == call.model.begun > 0
    assert call.speaker.cancelled == call.speaker.begun > 0
    assert call.judge.cancelled == call.judge.begun
    hung = play(a_turn, transcriber=ScriptedTranscriber(hangs=True))
    assert hung.transcriber.cancelled == hung.transcriber.begun > 0


def test_a_client_that_takes_no_messages_is_closed() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        call.wire.stuck = True

    call = play(score, agent("Olá!"), speaker=ScriptedSpeaker(120), hangs_up=False)
    assert call.wire.closed is not None
    assert call.wire.closed[0] == 1002, "it answers no ping"
    assert 20 < call.log.entries[-1].data["duration_secs"] < 25
    assert call.log.entries[-1].data["status"] == "failed"


def test_a_socket_that_breaks_is_waited_out() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await asyncio.sleep(0.01)
        call.wire.broken = True
        await asyncio.sleep(3)

    call = play(score, agent("Olá!"))
    assert call.wire.frames[-1][0] < 0.01
    assert call.wire.closed is None
    assert call.kinds()[-1] == "ended"


def test_a_flood_ends_its_conversation() -> None:
    """Nothing can hold it back: what is not read in time would pile up."""

    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        for _ in range(5):
            call.session.receive('{"user_audio_chunk": "' + "A" * (LONGEST_BACKLOG // 5 // 8 * 8) + '"}')

    call = play(score, hangs_up=False)
    assert call.wire.closed is not None
    assert call.wire.closed[0] == 1008
    assert "real time" in call.wire.events("error")[0]["message"]


def test_what_is_not_known_does_not_open_the_conversation() -> None:
    """Self-hosted clients send a message of their own before the opening one."""

    async def score(call: Call) -> None:
        await call.sends('{"type": "enclave_setup_config"}')
        await call.sends('{"type": "conversation_initiation_client_data", "user_id": "ana"}')

    call = play(score)
    assert call.log.entries[0].data["user_id"] == "ana"
