"""Calls in which both speak at once: who wins, and what the client, the model and the record get."""

import pytest

from serve_app.conversation.decisions import Judgement
from serve_app.conversation.dialogue import Message
from serve_app.conversation.playback import CHUNK_S, FADE_S
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseCorrection,
    Audio,
    Interruption,
    UserTranscript,
)
from serve_app.errors import LanguageModelError, SpeechError, TranscriptionError
from tests.conversation.score import GREETING, LEVEL, Call, agent, conversation_of, seconds


def interrupted() -> Call:
    call = Call(agent(GREETING))
    call.silence(3)
    call.says("quero marcar uma consulta para amanhã")
    call.silence(1.5)
    call.says("espera um pouco por favor")
    call.silence(4)
    return call


def test_an_interruption_cuts_the_answer_and_corrects_what_was_said() -> None:
    call = interrupted()
    told = call.outline()
    original = "Você disse quero marcar uma consulta para amanhã."
    cut = told.index("interruption")
    assert told[cut - 2 : cut] == [f"agent: {original}", "audio"]
    assert told[cut + 1] == "audio", "the fade"
    [correction] = call.messages(AgentResponseCorrection)
    assert correction.original_agent_response == original
    assert original.startswith(correction.corrected_agent_response)
    assert correction.corrected_agent_response.split() == ["Você", "disse", "quero"]
    assert told[cut + 2 :] == [
        "heard: Você disse quero",
        "user: espera um pouco por favor",
        "agent: Você disse espera um pouco por favor.",
        "audio",
    ]


def test_after_an_interruption_one_fade_is_all_there_is_of_the_old_answer() -> None:
    call = interrupted()
    [interruption] = call.messages(Interruption)
    _, next_turn = call.messages(UserTranscript)
    [fade] = [m for m in call.messages(Audio) if interruption.event_id < m.event_id < next_turn.event_id]
    assert 0 < seconds(fade) <= FADE_S
    assert len(call.messages(Audio)) > 20


def test_the_model_is_told_only_what_was_heard() -> None:
    call = interrupted()
    assert conversation_of(call)[-3:] == [
        Message("user", "quero marcar uma consulta para amanhã"),
        Message("assistant", "Você disse quero"),
        Message("user", "espera um pouco por favor"),
    ]


def test_the_agent_is_lowered_before_it_is_interrupted() -> None:
    call = Call(agent("Uma frase comprida que ainda vai durar um bom tempo."))
    call.silence(1)
    began = call.now
    call.says("espera um pouco")
    [cut] = call.times(Interruption)
    ends = [(at, int.from_bytes(m.audio_base_64[-2:], "little")) for at, m in call.sent if isinstance(m, Audio)]
    assert min(at for at, level in ends if level < LEVEL) - began <= 0.080 + CHUNK_S
    assert cut - began == pytest.approx(0.500, abs=0.02)


@pytest.mark.parametrize("overlap", ["noise", "murmur"])
def test_what_is_no_interruption_costs_nothing_but_loudness(overlap: str) -> None:
    sentence = "Uma frase comprida que ainda vai durar um bom tempo."

    def sound(*, disturbed: bool) -> tuple[int, set[int]]:
        call = Call(agent(sentence))
        call.silence(1)
        if disturbed and overlap == "noise":
            call.noise(0.3)
        elif disturbed:
            call.says("", seconds=0.2)
        call.silence(6)
        assert call.outline() == ["metadata", f"agent: {sentence}", "audio"]
        audio = b"".join(m.audio_base_64 for m in call.messages(Audio))
        return len(audio), {int.from_bytes(audio[i : i + 2], "little") for i in range(0, len(audio), 2)}

    undisturbed, levels = sound(disturbed=False)
    assert levels == {LEVEL}
    disturbed, levels = sound(disturbed=True)
    assert disturbed == undisturbed
    assert min(levels) == LEVEL / 4


def test_the_judge_may_interrupt_sooner() -> None:
    call = Call(agent("Uma frase comprida que ainda vai durar um bom tempo."), judge=lambda _: Judgement(0.5, 0.9))
    call.silence(1)
    began = call.now
    call.says("espera")
    assert 0.220 <= call.times(Interruption)[0] - began < 0.300


def test_a_client_that_takes_no_interruptions_is_not_interrupted() -> None:
    call = Call(agent(GREETING, events=["audio", "agent_response", "user_transcript"]))
    call.silence(0.5)
    call.says("espera um pouco")
    call.silence(4)
    assert call.outline() == ["metadata", f"agent: {GREETING}", "audio"]


def test_a_typed_message_cuts_the_agent_short() -> None:
    call = Call(agent(GREETING))
    call.silence(1)
    call.types("pare")
    call.silence(3)
    assert call.outline()[2:5] == ["audio", "interruption", "audio"]
    assert call.outline()[-3:] == ["user: pare", "agent: Você disse pare.", "audio"]


def test_reports_about_what_is_gone_are_ignored() -> None:
    call = interrupted()
    core, gone = call.conversation.answering, 1
    assert core.token(gone, "mais", call.now) == []
    assert core.answered(gone, call.now) == []
    assert core.answer_failed(gone, LanguageModelError("late"), call.now) == []
    assert core.clause_spoken(gone, 0, call.now) == []
    assert core.speech_failed(gone, 0, SpeechError("late"), call.now) == []
    assert call.conversation.recognition_failed(1, TranscriptionError("late"), call.now) == []


def test_event_ids_rise_over_everything_but_corrections() -> None:
    call = interrupted()
    others = [message for _, message in call.sent if not isinstance(message, AgentResponseCorrection)]
    ids = [message.event_id for message in others if hasattr(message, "event_id")]
    assert len(ids) > 50
    assert ids == sorted(set(ids))
    [correction] = call.messages(AgentResponseCorrection)
    responses = {m.event_id: m.agent_response for m in call.messages(AgentResponse)}
    assert responses[correction.event_id] == correction.original_agent_response
