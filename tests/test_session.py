import asyncio
import base64
import json

import pytest

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat
from serve_app.conversation.endpointing import PATIENCE_S, SILENCE_S
from serve_app.conversation.recognition import LEAD_IN
from serve_app.errors import TranscriptionError
from serve_app.ports import Judgement
from serve_app.session import WAIT_FOR_INITIATION_S
from tests.caller import ANSWER, CLAUSES, INITIATION, SPOKEN_S, Call, a_turn, agent, play, speech
from tests.fakes.ports import ScriptedJudge, ScriptedModel, ScriptedSpeaker

# ---- a call that goes well


def test_a_voice_turn_from_end_to_end() -> None:
    call = play(a_turn)
    assert call.wire.types()[0] == "conversation_initiation_metadata"
    assert call.wire.events("user_transcript")[0]["user_transcript"] == "quero um café"
    assert call.wire.events("agent_response")[0]["agent_response"] == ANSWER
    audio = b"".join(base64.b64decode(event["audio_base_64"]) for event in call.wire.events("audio"))
    assert len(audio) / 32_000 == pytest.approx(SPOKEN_S, abs=0.01)
    told = [kind for kind in call.kinds() if kind not in ("audio", "discarded", "judgement", "kept", "clause")]
    assert told == ["started", "user_turn", "answer", "agent_turn", "said", "ended"]
    assert call.log.kinds()["audio"] == len(call.wire.events("audio"))


def test_the_voice_plays_without_a_gap() -> None:
    call = play(a_turn)
    chunks = [(at, frame["audio_event"]["audio_base_64"]) for at, frame in call.wire.frames if frame["type"] == "audio"]
    runs_dry = chunks[0][0]
    for at, audio in chunks:
        assert at <= runs_dry
        runs_dry += len(base64.b64decode(audio)) / 32_000


def test_the_recogniser_gets_what_was_said_and_little_else() -> None:
    call = play(a_turn)
    spoken = len(speech()) / RATE
    assert spoken - 0.25 < len(call.transcriber.heard[-1]) / 2 / RATE - LEAD_IN / RATE < spoken + 0.25


def test_the_voice_gets_clause_by_clause_in_the_agents_voice() -> None:
    call = play(a_turn)
    assert call.speaker.said[-2:] == CLAUSES


def test_who_hangs_up_ends_the_call() -> None:
    call = play(a_turn)
    assert call.wire.closed is None, "nothing to close"
    ended = call.log.entries[-1]
    assert (ended.kind, ended.data["close_code"], ended.data["status"]) == ("ended", 1000, "done")
    assert ended.data["duration_secs"] == pytest.approx(3.5 + len(speech()) / RATE, abs=0.2)
    times = [event.at_unix for event in call.log.entries]
    assert times == sorted(times)


@pytest.mark.parametrize("line", SUPPORTED_FORMATS, ids=lambda line: line.name)
def test_every_line_is_heard_and_answered_in_its_own_format(line: AudioFormat) -> None:
    call = play(a_turn, agent(audio_format=line.name))
    metadata = call.wire.events("conversation_initiation_metadata")[0]
    assert metadata["user_input_audio_format"] == metadata["agent_output_audio_format"] == line.name
    assert call.wire.events("user_transcript")
    heard = len(call.transcriber.heard[-1]) / 2 / RATE
    assert heard == pytest.approx(len(speech()) / RATE + LEAD_IN / RATE, abs=0.3)
    audio = b"".join(base64.b64decode(event["audio_base_64"]) for event in call.wire.events("audio"))
    assert line.seconds(len(audio)) == pytest.approx(SPOKEN_S, abs=0.01)


def test_every_lump_of_audio_reports_how_long_it_waited() -> None:
    call = play(a_turn)
    assert len(call.waits) == 5 + -(-len(speech()) // 1600) + 30
    assert set(call.waits) == {0.0}, "no time passes while frames are judged"


def test_pings_are_sent_and_pongs_understood() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await asyncio.sleep(1.05)
        for _ in range(4):
            ping = call.wire.events("ping")[-1]
            await call.sends(json.dumps({"type": "pong", "event_id": ping["event_id"]}))
            await asyncio.sleep(15)

    call = play(score)
    assert [round(at) for at, frame in call.wire.frames if frame["type"] == "ping"] == [1, 16, 31, 46]
    assert call.wire.events("ping")[0]["ping_ms"] is None


# ---- the opening


@pytest.mark.parametrize("first", ['{"user_audio_chunk":""}', '{"type":"pong","event_id":1}', '{"type":"new"}'])
def test_metadata_comes_first_whatever_the_client_says_first(first: str) -> None:
    async def score(call: Call) -> None:
        await call.sends(first)
        await call.sends(INITIATION)
        await asyncio.sleep(2)

    call = play(score, agent("Olá!"))
    assert call.wire.frames[0] == (0.0, call.wire.frames[0][1])
    assert call.wire.types()[0] == "conversation_initiation_metadata"
    assert call.wire.types().count("conversation_initiation_metadata") == 1


def test_a_client_that_says_nothing_is_greeted_after_five_seconds() -> None:
    async def score(call: Call) -> None:
        await asyncio.sleep(WAIT_FOR_INITIATION_S - 0.01)
        assert call.wire.frames == []
        await asyncio.sleep(2)
        await call.sends(INITIATION)
        await asyncio.sleep(1)

    call = play(score, agent("Olá!"))
    assert call.wire.frames[0][0] == WAIT_FOR_INITIATION_S
    assert call.wire.types().count("conversation_initiation_metadata") == 1
    assert call.wire.events("agent_response")[0]["agent_response"] == "Olá!"


def test_a_client_gone_before_it_opened_leaves_no_record() -> None:
    async def score(call: Call) -> None:
        await asyncio.sleep(1)

    call = play(score)
    assert call.wire.frames == []
    assert call.log.entries == []


# ---- interruptions


async def an_interruption(call: Call) -> None:
    await a_turn(call)
    await call.speaks()
    await call.is_silent(1)


def test_an_interruption_ends_all_work_for_the_answer() -> None:
    """The model still thinks, the voice still speaks: both are broken off."""

    async def score(call: Call) -> None:
        await a_turn(call)
        assert (call.model.begun - call.model.cancelled, call.speaker.begun - call.speaker.cancelled) == (1, 1)
        call.transcriber.hangs = True  # nothing new is begun
        await call.speaks()
        assert (call.model.begun - call.model.cancelled, call.speaker.begun - call.speaker.cancelled) == (0, 0)

    model = ScriptedModel("Pois não, sai já. Um café", hangs=True)
    call = play(score, model=model, speaker=ScriptedSpeaker(9, hangs=True))
    cut = call.wire.types().index("interruption")
    fade, correction = (frame for _, frame in call.wire.frames[cut + 1 : cut + 3])
    [interruption] = call.wire.events("interruption")
    earlier = [frame["audio_event"]["event_id"] for _, frame in call.wire.frames[:cut] if frame["type"] == "audio"]
    assert max(earlier) < interruption["event_id"] < fade["audio_event"]["event_id"]
    corrected = correction["agent_response_correction_event"]
    assert corrected["original_agent_response"].startswith(corrected["corrected_agent_response"])
    assert {"interruption", "correction"} <= call.log.kinds().keys()


def test_a_slow_judge_is_not_waited_for() -> None:
    call = play(an_interruption, judge=ScriptedJudge(Judgement(0.0, 0.0), delay_s=0.151), speaker=ScriptedSpeaker(9))
    assert call.judge.begun > 0
    assert call.judge.cancelled == call.judge.begun
    assert call.wire.events("interruption")
    assert all(len(question.pcm) <= 8 * RATE * 2 for question in call.judge.questions)


def test_a_judge_that_fails_is_done_without() -> None:
    call = play(an_interruption, judge=ScriptedJudge(fault=TranscriptionError("down")), speaker=ScriptedSpeaker(9))
    assert len(call.wire.events("user_transcript")) == 2
    assert "error" not in call.kinds()


def test_a_judge_in_time_is_heeded() -> None:
    """Whether it calls every pause finished, or unfinished."""

    def decided(judge: ScriptedJudge) -> float:
        call = play(a_turn, judge=judge)
        return next(at for at, frame in call.wire.frames if frame["type"] == "user_transcript")

    eager, patient = decided(ScriptedJudge(Judgement(1, 0))), decided(ScriptedJudge(Judgement(0, 0)))
    assert patient - eager == pytest.approx(PATIENCE_S["normal"] - SILENCE_S, abs=0.06)
