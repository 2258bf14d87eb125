"""Calls in which a part fails, or never answers: the caller hears something all the same, or the call ends."""

import pytest

from serve_app.conversation.delivery import REPLY_BUDGET_S
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import AgentResponseCorrection, Audio
from serve_app.errors import LanguageModelError, SpeechError, TranscriptionError
from tests.conversation.score import GREETING, NOT_HEARD, TROUBLE, Call, Piece, agent, said, silences, tone


def test_a_model_that_fails_is_apologised_for() -> None:
    call = Call(model=lambda _: [LanguageModelError("gone")])
    call.silence(1)
    call.says("quero um café")
    call.silence(6)
    assert call.outline()[1:] == ["user: quero um café", f"agent: {TROUBLE}", "audio"]
    assert call.log("error") == [{"code": 1002, "error_type": "llm_error", "message": "gone"}]


def test_a_model_that_fails_midway_has_said_what_it_said() -> None:
    call = Call(model=lambda _: ["Um café ", "custa", LanguageModelError("gone")])
    call.silence(1)
    call.says("quanto custa")
    call.silence(4)
    assert call.outline()[1:] == [
        "user: quanto custa",
        "agent: Um café custa",
        "audio",
        f"agent: {TROUBLE}",
        "audio",
    ]


@pytest.mark.parametrize("answer", [[], ["  "], [" ...", "\n"]])
def test_an_answer_without_words_is_apologised_for(answer: list[Piece]) -> None:
    call = Call(model=lambda _: answer)
    call.silence(1)
    call.says("oi")
    call.silence(6)
    assert call.outline()[1] == "user: oi"
    assert call.outline()[2].endswith(TROUBLE)
    assert call.outline()[3:] == ["audio"]


def test_a_model_that_is_silent_is_excused_twice_and_then_apologised_for() -> None:
    call = Call(model=lambda _: [None])
    call.silence(1)
    call.says("oi")
    call.silence(REPLY_BUDGET_S + 6)
    assert said(call) == f"{line('one_moment', 'pt')} {line('still_busy', 'pt')} {TROUBLE}"
    assert silences(call) < 2


@pytest.mark.parametrize("pieces", [[SpeechError("no voice")], [None]])
def test_a_call_without_a_voice_ends(pieces: list[Piece]) -> None:
    call = Call(agent(GREETING), voice=lambda _: pieces)
    call.silence(2 * REPLY_BUDGET_S + 1)
    assert isinstance(call.ended, SpeechError)
    assert call.messages(Audio) == []
    assert len(call.log("none_response")) == 1


def test_a_voice_that_loses_a_clause_is_apologised_for() -> None:
    call = Call(
        model=lambda _: ["Um. Dois. Três."], voice=lambda text: [SpeechError("lost")] if text == "Dois." else tone(text)
    )
    call.silence(1)
    call.says("conte")
    call.silence(6)
    assert call.ended is None
    assert said(call) == f"Um. Dois. {TROUBLE}"
    call.says("de novo")
    call.silence(6)
    assert call.outline().count("audio") == 2


def test_a_recogniser_that_fails_is_owed_an_answer() -> None:
    call = Call(recogniser_error=TranscriptionError("down"))
    call.silence(1)
    call.says("oi")
    call.silence(5)
    assert call.outline()[1:] == [f"agent: {TROUBLE}", "audio"]
    assert call.log("error")[0]["error_type"] == "asr_transcription_error"


def test_long_speech_without_words_is_asked_about_and_a_cough_is_not() -> None:
    call = Call()
    call.says("", seconds=0.3)
    call.silence(3)
    assert call.outline() == ["metadata"]
    call.says("", seconds=1.7)
    call.silence(5)
    assert call.outline()[1:] == [f"agent: {NOT_HEARD}", "audio"]


def test_noise_after_a_turn_does_not_cost_its_answer() -> None:
    call = Call()
    call.model_s = 1.0
    call.silence(1)
    call.says("quero um café")
    call.silence(0.6)
    call.says("", seconds=0.2)
    call.silence(5)
    assert call.outline()[1:] == ["user: quero um café", "agent: Você disse quero um café.", "audio"]


def test_an_owed_answer_is_not_held_up_by_an_answer_before_it() -> None:
    """Cut off before a word of it was heard, then a recogniser that is silent: the old turn's stamps must not count."""
    call = Call(model=lambda _: ["Naturalmente que sim."])
    call.silence(1)
    call.says("quero um café")
    call.silence(0.36)
    assert call.messages(Audio)
    call.recogniser_s = None
    call.says("", seconds=0.5)
    call.silence(20)
    assert "heard: " in call.outline()
    assert call.outline()[-2:] == ["agent: Naturalmente que sim.", "audio"]
    assert [error["error_type"] for error in call.log("error")] == ["asr_transcription_error"]
    metrics = call.log("agent_turn")[-1]["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["convai_llm_service_ttfb"] == pytest.approx(0.100)


def test_a_client_that_stops_sending_audio_is_answered_all_the_same() -> None:
    call = Call()
    call.silence(1)
    call.says("quero um café")
    call.sends_nothing(5)
    assert call.outline()[1:] == ["user: quero um café", "agent: Você disse quero um café.", "audio"]


def test_an_answer_that_stops_midway_ends_where_it_was_heard() -> None:
    """Neither end nor error ever comes: the caller gets the floor back, and the record tells what was heard."""
    answer = "Um dois três quatro cinco seis. Sete."
    call = Call(model=lambda _: [answer], voice=lambda _: [tone("Um dois três")[0], None])
    call.silence(1)
    call.says("conte")
    call.silence(REPLY_BUDGET_S + 2)
    [correction] = call.messages(AgentResponseCorrection)
    assert correction.original_agent_response.startswith(correction.corrected_agent_response)
    assert call.log("error")[0]["error_type"] == "tts_cascade_error"
    call.says("continue")
    call.silence(2)
    assert call.outline()[-3:-1] == ["user: continue", f"agent: {answer}"]


def test_a_voice_without_any_sound_is_no_voice() -> None:
    call = Call(agent(GREETING), voice=lambda _: [])
    call.silence(2)
    assert isinstance(call.ended, SpeechError)


def test_a_voice_that_fails_in_a_pause_does_not_end_the_call() -> None:
    """Nothing was decided yet, and the caller goes on: the next answer has its own chance."""
    failing = iter([[SpeechError("lost")]])
    call = Call(voice=lambda text: next(failing, tone(text)))
    call.silence(1)
    call.says("quero")
    call.silence(0.2)
    call.says("um café")
    call.silence(3)
    assert call.ended is None
    assert call.outline()[1:] == ["user: quero um café", "agent: Você disse quero um café.", "audio"]


def test_a_recogniser_that_never_answers_is_told_and_answered_for() -> None:
    call = Call(recogniser_s=None)
    call.silence(1)
    call.says("sim")
    call.silence(10)
    assert said(call) == f"{line('one_moment', 'pt')} {TROUBLE}"
    assert silences(call) < 2
    assert call.log("error")[0]["message"] == "no transcript within 4 s"


def test_a_cough_before_its_first_sound_does_not_cost_the_greeting() -> None:
    call = Call(agent(GREETING), recogniser_s=0.05)
    call.says("", seconds=0.2)
    call.silence(4)
    assert call.outline()[-2:] == [f"agent: {GREETING}", "audio"]


def test_chunks_cut_within_a_sample_are_put_together() -> None:
    whole = b"\x00\x10" * 1600
    call = Call(agent(GREETING), voice=lambda _: [whole[i : i + 641] for i in range(0, len(whole), 641)])
    call.silence(2)
    assert b"".join(message.audio_base_64 for message in call.messages(Audio)) == whole
