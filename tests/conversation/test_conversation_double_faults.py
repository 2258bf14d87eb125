"""Calls in which a second thing goes wrong while the first is being dealt with."""

import pytest
from msgspec.structs import replace

from serve_app.conversation.agent import Agent
from serve_app.conversation.client_messages import UserActivity
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import AgentResponseCorrection, ClientToolCall, Interruption, UserTranscript
from serve_app.conversation.speculation import Ration
from serve_app.errors import LanguageModelError, SpeechError, TranscriptionError
from tests.conversation.score import NOT_HEARD, TROUBLE, Call, Piece, agent, conversation_of, said, silences, tone
from tests.conversation.test_conversation_fallbacks import ONE_MOMENT, failing
from tests.conversation.toolkit import answers, asked, asks, client, equipped, script

GONE = LanguageModelError("gone")


def ask(call: Call, seconds: float = 8) -> Call:
    call.silence(1)
    call.says("quero um café")
    call.silence(seconds)
    return call


def only_lines(text: str) -> list[Piece]:
    """A voice that has failed for everything but what is prepared."""
    known = f"{TROUBLE} {ONE_MOMENT} {line('no_service', 'pt')}"
    return list(tone(text)) if text in known else [SpeechError("gone")]


# ---- the model and the voice


@pytest.mark.parametrize("model_s", [0.0, 0.6])
def test_a_voice_that_fails_for_what_the_model_broke_off(model_s: float) -> None:
    """Before the turn is decided, and after."""
    call = Call(failing(), model=lambda _: ["Um dois três quatro.", GONE], voice=only_lines)
    call.model_s = model_s
    ask(call)
    assert call.ended is None
    assert said(call).endswith(TROUBLE)
    assert silences(call) < 2
    assert call.log("none_response") == []


def test_the_agent_that_ends_the_call_then_says_so_first() -> None:
    call = Call(failing("end"), model=lambda _: ["Um dois três quatro.", GONE], voice=only_lines)
    call.model_s = 0.6
    ask(call)
    assert said(call).endswith(line("no_service", "pt"))
    assert isinstance(call.ended, SpeechError)
    assert call.log("none_response") == []


def test_an_apology_without_a_voice_is_the_end() -> None:
    call = Call(failing(), model=lambda _: ["Um dois três quatro.", GONE], voice=lambda _: [SpeechError("gone")])
    call.model_s = 0.6
    ask(call)
    assert isinstance(call.ended, SpeechError)
    assert len(call.log("none_response")) == 1


def test_a_line_without_a_voice_loses_no_words() -> None:
    def voice(text: str) -> list[Piece]:
        return [SpeechError("gone")] if text == ONE_MOMENT else list(tone(text))

    call = ask(Call(recogniser_s=2.0, voice=voice))
    assert "user: quero um café" in call.outline()
    assert call.outline()[-2:] == ["agent: Você disse quero um café.", "audio"]
    assert call.log("failure") == []


def test_an_answer_to_nothing_in_between_is_no_second_apology() -> None:
    """A tool's result that nobody waits for, while an answer has failed that nobody knows of yet."""
    call = Call(equipped(client()), model=lambda _: [GONE])
    call.model_s = 0.0
    call.silence(1)
    call.says("quero um café")
    call.silence(0.14)
    answers(call, "aberta", "nenhuma")
    call.silence(8)
    assert said(call) == TROUBLE


def test_a_model_that_hesitates_between_sentences_is_not_given_up() -> None:
    sentences: list[Piece] = [f"Frase número {n} é esta. " for n in range(5)]
    call = Call(model=lambda _: sentences)
    call.token_s = 4.0
    ask(call, 40)
    assert call.log("failure") == []
    assert "Frase número 4 é esta." in said(call)


# ---- the recogniser


def test_a_fault_that_is_over_is_not_told() -> None:
    """The first recognition failed, and in the second there were no words."""
    call = Call(recogniser_error=TranscriptionError("down"))
    call.silence(1)
    call.says("", 0.7)
    call.silence(0.2)
    call.recogniser_error = None
    call.says("", 0.3)
    call.silence(5)
    assert said(call) == NOT_HEARD
    assert call.log("failure") == []


def test_who_speaks_over_the_line_that_passes_the_time_interrupts_it() -> None:
    call = Call(recogniser_s=2.9)
    ask(call, 1.8)
    assert said(call) == ONE_MOMENT
    call.recogniser_s = 0.05
    call.says("com leite")
    call.silence(4)
    assert call.times(Interruption) == call.times(AgentResponseCorrection) != []
    assert call.messages(UserTranscript)[-1].user_transcript == "quero um café com leite"


# ---- words that are not to be trusted


def test_words_that_are_clear_the_second_time_are_answered() -> None:
    call = Call()
    call.confidence = 0.3
    ask(call, 0.22)
    assert conversation_of(call)[-1].role == "system"
    call.confidence = 0.9
    call.says("", 0.2)
    call.silence(3)
    assert conversation_of(call)[-1].role == "user"


def test_a_cough_makes_them_no_clearer() -> None:
    call = Call(equipped(client()))
    call.confidence, call.model_s = 0.3, 1.0
    ask(call, 0.5)
    call.says("", 0.2)
    call.silence(3)
    assert len(call.thought) == 2
    assert conversation_of(call)[-1].role == "system"
    assert not call.thought[-1].tools


def test_no_tool_is_used_on_them_though_the_model_asks_for_one() -> None:
    call = Call(equipped(client()), model=script(["Pode repetir?", asks("abrir")], ["Pronto."]))
    call.confidence = 0.3
    ask(call)
    assert call.messages(ClientToolCall) == []
    assert said(call) == "Pode repetir?"


# ---- another agent


def test_agents_that_fail_alike_do_not_put_the_caller_through_for_ever() -> None:
    agents = {"rui": replace(failing("transfer", agent_id="default"), name="rui")}
    call = Call(failing("transfer", agent_id="rui"), agents=agents, model=lambda _: [GONE])
    ask(call, 20)
    assert said(call) == f"{line('transfer', 'pt')} {TROUBLE}"
    assert len(call.log("transfer")) == 1


def test_who_cannot_be_put_through_is_told() -> None:
    needy: Agent = agent(prompt="Fale com {{nome}}.")
    call = Call(failing("transfer", agent_id="rui"), agents={"rui": needy}, model=lambda _: [GONE])
    ask(call, 15)
    assert said(call) == f"{line('transfer', 'pt')} {TROUBLE}"
    call.sends(UserActivity())
    assert call.log("transfer") == []


# ---- what is not done


def test_in_writing_no_voice_is_warmed() -> None:
    call = asked([asks("abrir")], ["Pronto."])
    answers(call, "aberta")
    call.silence(2)
    assert call.warmed
    call = Call(equipped(client(), text_only=True), model=script([asks("abrir")], ["Pronto."]))
    call.types("abre a porta")
    call.sends_nothing(0.5)
    answers(call, "aberta")
    call.sends_nothing(2)
    assert call.warmed == []


def test_what_is_refused_uses_no_ration_up() -> None:
    ration = Ration(2, 20)
    assert ration.take(0.0, 20)
    assert not any(ration.take(0.0, 20) for _ in range(60))
    assert ration.take(30.0, 1)
