"""Calls in which somebody waits for too long: for the caller, or for the agent."""

from typing import Any

import pytest

from serve_app.conversation.agent import Turn
from serve_app.conversation.client_messages import ContextualUpdate, UserActivity
from serve_app.conversation.delivery import REPLY_BUDGET_S
from serve_app.conversation.dialogue import Message
from serve_app.conversation.lines import line
from serve_app.conversation.notes import SILENT_NOTE
from serve_app.conversation.patience import SPEAK_UPS
from serve_app.conversation.server_messages import AgentResponse, AgentResponseCorrection, Audio, Interruption
from serve_app.errors import CallerSilent
from tests.conversation.score import Call, Piece, agent, conversation_of, seconds, tone

ASKED = "Ainda está aí?"
TIME_UP = line("time_up", "pt")


def patient(text: str) -> list[Piece]:
    """It asks whether the caller is there when told to, and says yes to everything else."""
    return [ASKED if text == SILENT_NOTE else "Sim."]


def spoke_up(call: Call) -> list[float]:
    """When the model was asked to."""
    notes = [request.messages[-1] for request in call.thought].count(Message("system", SILENT_NOTE))
    times = [at for at, told in call.sent if isinstance(told, AgentResponse) and told.agent_response == ASKED]
    assert len(times) == notes
    return times


def waits(first_message: str = "", **turn: Any) -> Call:
    return Call(agent(first_message, turn=Turn(**turn)), model=patient)


LATER = 0.3
"""At most from the decision to speak up to the first sound."""

# ---- turn_timeout


def test_the_agent_speaks_up_into_silence_but_does_not_nag() -> None:
    call = waits(turn_timeout=3)
    call.silence(60)
    first, second = spoke_up(call)
    assert 3 < first < 3 + LATER
    assert second == pytest.approx(first + len(ASKED) / 14 + 3, abs=LATER)
    assert len(spoke_up(call)) == SPEAK_UPS
    assert not call.ended


def test_what_the_model_is_told_of_silence_is_not_kept() -> None:
    call = waits(turn_timeout=3)
    call.silence(6)
    call.says("oi")
    call.silence(1)
    assert conversation_of(call) == [Message("assistant", ASKED), Message("user", "oi")]


def test_the_silence_counts_from_the_last_word_of_the_agents() -> None:
    call = waits("Olá, aqui é da padaria.", turn_timeout=3)
    call.silence(7)
    heard = len("Olá, aqui é da padaria.") / 14
    assert spoke_up(call) == [pytest.approx(heard + 3, abs=LATER)]


def test_a_caller_who_has_spoken_is_asked_again() -> None:
    call = waits(turn_timeout=3)
    call.silence(20)
    call.says("estou aqui")
    call.silence(20)
    assert len(spoke_up(call)) == 2 * SPEAK_UPS


def test_a_caller_who_speaks_is_not_silent() -> None:
    call = waits(turn_timeout=3)
    call.silence(2)
    call.says("estou procurando o papel em que anotei tudo o que queria pedir a vocês hoje")
    assert spoke_up(call) == []


def test_a_cough_starts_the_wait_anew() -> None:
    call = waits(turn_timeout=3)
    call.silence(2.5)
    call.says("", seconds=0.2)
    call.silence(2.5)
    assert spoke_up(call) == []


def test_user_activity_postpones_it() -> None:
    call = waits(turn_timeout=3)
    for _ in range(5):
        call.silence(2)
        call.sends(UserActivity())
    active = call.now
    assert spoke_up(call) == []
    call.silence(4)
    assert spoke_up(call) == [pytest.approx(active + 3, abs=LATER)]


def test_context_alone_does_not() -> None:
    call = waits(turn_timeout=3)
    call.silence(2)
    call.sends(ContextualUpdate("the user opened the prices"))
    call.silence(2)
    assert len(spoke_up(call)) == 1


def test_silence_counts_although_no_audio_comes() -> None:
    call = waits(turn_timeout=3)
    call.sends_nothing(20)
    assert len(spoke_up(call)) == SPEAK_UPS


def test_a_caller_who_is_to_begin_gets_time() -> None:
    call = waits(turn_timeout=3, initial_wait_time=20)
    call.silence(26)
    first, second = spoke_up(call)
    assert 20 < first < 20 + LATER
    assert second < first + len(ASKED) / 14 + 3 + LATER


def test_that_time_is_only_for_the_beginning() -> None:
    call = waits("Olá!", turn_timeout=3, initial_wait_time=20)
    call.silence(8)
    assert spoke_up(call) != []


def test_speaking_up_can_be_interrupted() -> None:
    call = Call(
        agent(turn=Turn(turn_timeout=3)), model=lambda text: ["Você ainda está aí? Posso ajudar em mais alguma coisa?"]
    )
    call.silence(4)
    call.says("estou aqui sim")
    call.silence(1)
    assert len(call.messages(Interruption)) == 1
    assert conversation_of(call)[-1] == Message("user", "estou aqui sim")


# ---- silence_end_call_timeout


def test_silence_ends_the_call() -> None:
    call = waits(turn_timeout=30, silence_end_call_timeout=10)
    call.silence(9.9)
    assert not call.ended
    call.sends_nothing(0.2)
    assert isinstance(call.ended, CallerSilent)
    assert call.ended.close_code == 1000


@pytest.mark.parametrize("off", [-1, 0])
def test_silence_does_not_end_the_call_unless_it_may(off: float) -> None:
    call = waits(turn_timeout=30, silence_end_call_timeout=off)
    call.silence(300)
    assert not call.ended


def test_that_the_agent_speaks_up_does_not_end_the_silence() -> None:
    call = waits(turn_timeout=3, silence_end_call_timeout=20)
    call.sends_nothing(19.9)
    assert len(spoke_up(call)) == SPEAK_UPS
    assert not call.ended
    call.sends_nothing(0.2)
    assert isinstance(call.ended, CallerSilent)


def test_it_does_not_end_while_the_agent_speaks_up() -> None:
    call = waits(turn_timeout=3, silence_end_call_timeout=3.5)
    call.sends_nothing(10)
    [audio] = [call.messages(Audio)]
    assert sum(map(seconds, audio)) == pytest.approx(len(ASKED) / 14, abs=0.01), "to its end"
    assert isinstance(call.ended, CallerSilent)


def test_it_does_not_end_while_the_caller_speaks() -> None:
    call = waits(turn_timeout=30, silence_end_call_timeout=5)
    call.silence(4.5)
    call.says("quero saber o preço de tudo o que vocês têm na loja hoje")
    call.silence(4)
    assert not call.ended
    assert call.outline()[-2:] == ["agent: Sim.", "audio"]


def test_it_counts_anew_after_an_answer() -> None:
    call = waits(turn_timeout=30, silence_end_call_timeout=5)
    call.silence(4)
    call.says("oi")
    call.silence(0.6)
    answered = call.times(Audio)[-1]
    call.sends_nothing(4.4)
    assert not call.ended
    call.sends_nothing(1)
    assert isinstance(call.ended, CallerSilent)
    assert call.times(Audio)[-1] - answered < 0.5


def test_user_activity_postpones_the_end() -> None:
    call = waits(turn_timeout=30, silence_end_call_timeout=5)
    for _ in range(4):
        call.silence(4)
        call.sends(UserActivity())
    assert not call.ended


def test_a_caller_who_was_not_understood_was_not_silent() -> None:
    call = waits(turn_timeout=3, silence_end_call_timeout=12)
    call.silence(11.5)
    call.says("", seconds=1.7)
    call.silence(6)
    assert call.outline()[-2:] == [f"agent: {line('not_heard', 'pt')}", "audio"]
    assert not call.ended


def test_nothing_happens_after_the_end() -> None:
    """A ping is due at the same moment."""
    call = waits(turn_timeout=30, silence_end_call_timeout=16)
    call.sends_nothing(20)
    assert isinstance(call.ended, CallerSilent)


# ---- the agent


def test_an_answer_may_be_long() -> None:
    words = ["palavra "] * 60
    call = Call(agent(), model=lambda _: words)
    call.types("conte tudo")
    call.silence(4 * REPLY_BUDGET_S)
    assert sum(map(seconds, call.messages(Audio))) > 3 * REPLY_BUDGET_S
    assert call.messages(AgentResponseCorrection) == []
    assert call.log("error") == []


def test_after_an_answer_that_stuck_the_agent_listens_again() -> None:
    sticks = [[b"\1" * 6400, None]]
    call = Call(
        agent(turn=Turn(turn_timeout=3)), model=patient, voice=lambda text: sticks.pop() if sticks else tone(text)
    )
    call.types("oi")
    call.silence(REPLY_BUDGET_S + 10)
    assert len(spoke_up(call)) == 1
