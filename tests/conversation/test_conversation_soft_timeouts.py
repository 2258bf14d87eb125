"""Calls in which the language model takes its time: what the caller hears meanwhile."""

from typing import Any

import pytest

from serve_app.conversation.agent import SoftTimeout, Turn
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import AgentResponse, Audio
from serve_app.conversation.turn_taking import HOLD_AFTER_S
from tests.conversation.score import Call, agent
from tests.conversation.toolkit import answers, asks, client, prompted, script

HMM = "Deixa eu ver."
MORE = "Só mais um pouco."


def soft(model_s: float, *, turn_timeout: float = 30.0, **fields: Any) -> Call:
    config = SoftTimeout(**{"timeout_seconds": 1.0, "message": HMM, **fields})
    call = Call(agent(turn=Turn(turn_timeout=turn_timeout, soft_timeout_config=config)))
    call.model_s = model_s
    return call


def spoken(call: Call) -> list[str]:
    return [asked.text for asked in call.spoken]


def test_a_model_that_takes_long_is_excused() -> None:
    call = soft(2.0)
    call.types("oi")
    call.silence(6)
    assert spoken(call) == [HMM, "Você disse oi."]
    assert call.times(Audio)[0] == pytest.approx(1.0 + call.voice_s, abs=0.02)
    assert [m.agent_response for m in call.messages(AgentResponse)] == [HMM, "Você disse oi."]


def test_a_quick_one_is_not() -> None:
    call = soft(0.9)
    call.types("oi")
    call.silence(6)
    assert spoken(call) == ["Você disse oi."]


@pytest.mark.parametrize("off", [-1, 0])
def test_switched_off_the_silence_is_filled_in_our_words(off: float) -> None:
    call = soft(4.0, timeout_seconds=off)
    call.types("oi")
    call.silence(9)
    assert spoken(call) == [line("one_moment", "pt"), line("still_busy", "pt"), "Você disse oi."]
    assert call.times(Audio)[0] == pytest.approx(HOLD_AFTER_S + call.voice_s, abs=0.02)


@pytest.mark.parametrize(("most", "said"), [(1, [HMM]), (2, [HMM, MORE]), (3, [HMM, MORE, MORE])])
def test_only_so_often_in_one_answer(most: int, said: list[str]) -> None:
    call = soft(9.5, max_soft_timeouts_per_generation=most, additional_soft_timeout_messages=(MORE,))
    call.types("oi")
    call.silence(14)
    assert spoken(call) == [*said, "Você disse oi."]


def test_anew_in_the_next() -> None:
    call = soft(2.0)
    for _ in range(2):
        call.types("oi")
        call.silence(6)
    assert spoken(call).count(HMM) == 2


def test_without_words_of_its_own_ours_are_used() -> None:
    call = soft(2.0, message="")
    call.types("oi")
    call.silence(6)
    assert spoken(call)[0] == line("one_moment", "pt")


@pytest.mark.parametrize("disabled", [True, False])
def test_before_the_user_has_spoken_it_may_be_disabled(*, disabled: bool) -> None:
    call = soft(2.0, turn_timeout=3, disable_until_first_user_message=disabled)
    call.silence(5.5)
    assert (HMM in spoken(call)) is not disabled
    call.silence(30)
    before = spoken(call).count(HMM)
    call.types("oi")
    call.silence(6)
    assert spoken(call).count(HMM) == before + 1


def test_a_model_that_never_answers_is_apologised_for_all_the_same() -> None:
    config = SoftTimeout(timeout_seconds=1.0, message=HMM)
    call = Call(agent(turn=Turn(turn_timeout=30, soft_timeout_config=config)), model=lambda _: [None])
    call.types("oi")
    call.silence(20)
    assert " ".join(spoken(call)) == f"{HMM} {line('trouble', 'pt')}"


def test_nothing_is_said_once_the_model_speaks() -> None:
    call = soft(0.5)
    call.token_s = 0.8
    call.types("oi")
    call.silence(8)
    assert HMM not in spoken(call)


def test_the_time_that_a_tool_took_is_not_the_models() -> None:
    config = SoftTimeout(timeout_seconds=3.0, message=HMM)
    prompt = prompted(client(pre_tool_speech="off"))
    turn = Turn(turn_timeout=30, soft_timeout_config=config)
    call = Call(agent(prompt=prompt, turn=turn), model=script([asks("abrir")], ["Está aberta."]))
    call.types("abre")
    call.silence(5)
    answers(call, "aberta")
    call.silence(2)
    assert spoken(call) == ["Está aberta."]
