"""Calls in which no provider is left, or another takes the place of one that failed."""

import pytest
from msgspec.structs import replace

from serve_app.conversation.agent import Agent, Hello, OnFailure
from serve_app.conversation.fallback import Fallback
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import Audio
from serve_app.errors import LanguageModelError, SpeechError, TranscriptionError
from tests.conversation.score import TROUBLE, Call, Piece, agent, said, silences, tone

ONE_MOMENT = line("one_moment", "pt")


def failing(action: str = "retry", message: str = "", agent_id: str = "") -> Agent:
    return replace(agent(), hello=Hello(on_failure=OnFailure(action, message, agent_id)))  # type: ignore[arg-type]


def asks(call: Call, seconds: float = 8) -> Call:
    call.silence(1)
    call.says("quero um café")
    call.silence(seconds)
    return call


def without_model(described: Agent, **parts: object) -> Call:
    return asks(Call(described, model=lambda _: [LanguageModelError("gone")], **parts))  # type: ignore[arg-type]


# ---- the action


def test_the_caller_is_asked_again() -> None:
    call = without_model(failing())
    assert said(call) == TROUBLE
    assert call.log("failure") == [{"action": "retry", "error_type": "llm_error"}]
    assert call.ended is None


def test_in_the_agents_own_words() -> None:
    assert said(without_model(failing(message="Um instante, por favor."))) == "Um instante, por favor."


def test_or_the_call_ends() -> None:
    call = without_model(failing("end"))
    assert said(call) == line("no_service", "pt")
    assert isinstance(call.ended, LanguageModelError)


def test_or_another_agent_takes_it() -> None:
    other = agent("Aqui é o Rui.")
    call = without_model(failing("transfer", agent_id="rui"), agents={"rui": other})
    assert said(call) == f"{line('transfer', 'pt')} Aqui é o Rui."
    assert call.log("transfer") == [{"agent_id": "rui", "redact": []}]


def test_who_has_no_greeting_answers_what_was_asked() -> None:
    answers = iter([[LanguageModelError("gone")], ["Pois não."]])
    agents = {"rui": agent(prompt="Você é o Rui.")}
    call = Call(failing("transfer", agent_id="rui"), agents=agents, model=lambda _: next(answers))
    asks(call)
    assert said(call).endswith("Pois não.")
    assert call.thought[-1].messages[0].content == "Você é o Rui."


@pytest.mark.parametrize("action", ["transfer", "end"])
def test_who_interrupts_is_put_through_all_the_same(action: str) -> None:
    call = Call(
        failing(action, agent_id="rui"), agents={"rui": agent("Rui.")}, model=lambda _: [LanguageModelError("gone")]
    )
    call.silence(1)
    call.says("quero um café")
    call.silence(0.6)
    call.says("alô você está aí")
    call.silence(8)
    assert call.ended or "Rui." in said(call)


# ---- whichever part it is


def test_a_recogniser_that_fails() -> None:
    call = asks(Call(failing("end"), recogniser_error=TranscriptionError("down")))
    assert said(call) == line("no_service", "pt")
    assert isinstance(call.ended, TranscriptionError)


def test_a_voice_that_fails_for_all_but_what_is_prepared() -> None:
    def voice(text: str) -> list[Piece]:
        return list(tone(text)) if text in TROUBLE else [SpeechError("gone")]

    call = asks(Call(failing(), voice=voice))
    assert call.ended is None
    assert call.messages(Audio)
    assert silences(call) < 2
    assert call.log("none_response") == []


def test_a_voice_that_fails_altogether() -> None:
    call = asks(Call(failing(), voice=lambda _: [SpeechError("gone")]))
    assert isinstance(call.ended, SpeechError)
    assert len(call.log("none_response")) == 1


def test_a_voice_that_dies_in_mid_answer() -> None:
    answer = "Um dois três quatro cinco seis sete oito nove dez."
    call = Call(failing(), model=lambda _: [answer], voice=lambda text: _dying(text, answer))
    call.voice_s = 0.3  # the turn is taken by then
    asks(call)
    assert call.ended is None
    assert said(call) == f"{answer} {TROUBLE}"
    heard = next(line for line in call.outline() if line.startswith("heard: "))
    assert answer.startswith(heard.removeprefix("heard: "))
    assert silences(call) < 2


def _dying(text: str, answer: str) -> list[Piece]:
    return [tone(text)[0], SpeechError("gone")] if text == answer else list(tone(text))


# ---- what is late


@pytest.mark.parametrize("late_s", [1.6, 2.4, 3.2])
def test_words_that_are_late_are_waited_for_in_words(late_s: float) -> None:
    call = asks(Call(recogniser_s=late_s))
    assert said(call) == f"{ONE_MOMENT} Você disse quero um café."
    assert silences(call) < 2
    agent_turns = call.log("agent_turn")
    assert [turn["text"] for turn in agent_turns] == [ONE_MOMENT, "Você disse quero um café."]
    assert agent_turns[0]["metrics"] == {}
    assert "convai_llm_service_ttfb" in agent_turns[1]["metrics"]  # type: ignore[operator]


def test_latencies_are_those_of_the_answer_not_of_the_filler() -> None:
    call = Call(recogniser_s=1.7)
    call.model_s = 1.0
    asks(call)
    filler, answer = (turn["metrics"] for turn in call.log("agent_turn"))
    assert filler == {}
    assert isinstance(answer, dict)
    assert answer["convai_ttf_audio_since_silence"] > answer["convai_turn_asr_latency"] + 1.0
    assert answer["convai_tts_service_ttfb"] == pytest.approx(call.voice_s)


def test_who_speaks_on_meanwhile_is_heard() -> None:
    call = Call(recogniser_s=1.9)
    call.silence(1)
    call.says("quero um café")
    call.silence(1.8)
    assert said(call) == ONE_MOMENT
    call.recogniser_s = 0.05
    call.says("com leite")
    call.silence(4)
    assert "user: quero um café com leite" in call.outline()
    assert said(call).endswith("Você disse quero um café com leite.")


def test_a_model_that_is_late_is_waited_for_in_words() -> None:
    call = Call()
    call.model_s = 3.0
    asks(call)
    assert said(call) == f"{ONE_MOMENT} Você disse quero um café."
    assert silences(call) < 2


def test_who_answers_in_time_asks_for_no_patience() -> None:
    call = Call()
    call.model_s = 0.9
    asks(call)
    assert said(call) == "Você disse quero um café."


# ---- the record


def test_who_took_whose_place_is_recorded() -> None:
    fallback = Fallback("stt", "Groq", "HTTP 500", "local Whisper")
    call = Call()
    call.fallbacks = (fallback,)
    asks(call)
    assert call.log("fallback") == [{"stage": "stt", "failed": "Groq", "why": "HTTP 500", "instead": "local Whisper"}]


def test_of_models_and_voices_too() -> None:
    fallback = Fallback("llm", "large", "HTTP 429", "small")
    call = asks(Call())
    call.model_s = 0.5
    call.types("oi")
    reply = call.conversation.answering.reply
    assert reply
    call._perform(call.conversation.answering.fell_back(reply.id, fallback, call.now))
    assert [entry["instead"] for entry in call.log("fallback")] == ["small"]
    call._perform(call.conversation.answering.fell_back(reply.id - 1, fallback, call.now))
    assert len(call.log("fallback")) == 1, "of an answer that is gone"
