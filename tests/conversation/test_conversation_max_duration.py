"""Calls that last as long as they may: a goodbye that is heard to its end, and then the end."""

from typing import Any

import pytest
from msgspec.structs import replace

from serve_app.conversation.delivery import HANG_UP_S, REPLY_BUDGET_S
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import AgentResponse, AgentResponseCorrection, Audio
from serve_app.errors import TimeIsUp
from tests.conversation.score import Call, Piece, agent, seconds
from tests.conversation.toolkit import asks, client, equipped, script

TIME_UP = line("time_up", "pt")
LATER = 0.3
"""At most from a decision to speak to the first sound."""


def limited(first_message: str = "", goodbye: str | None = None, **parts: Any) -> Call:
    """To five seconds."""
    described = agent(first_message, max_duration_seconds=5)
    persona = replace(described.conversation_config.agent, max_conversation_duration_message=goodbye)
    described = replace(described, conversation_config=replace(described.conversation_config, agent=persona))
    return Call(described, **parts)


@pytest.mark.parametrize(("goodbye", "said"), [(None, TIME_UP), ("O tempo acabou.", "O tempo acabou.")])
def test_a_call_that_lasts_too_long_is_ended_with_a_goodbye(goodbye: str | None, said: str) -> None:
    call = limited(goodbye=goodbye)
    call.silence(15)
    assert call.outline()[1:] == [f"agent: {said}", "audio"]
    assert 5 < call.times(AgentResponse)[0] < 5 + LATER
    assert sum(map(seconds, call.messages(Audio))) == pytest.approx(len(said) / 14, abs=0.1)
    assert isinstance(call.ended, TimeIsUp)
    assert (call.ended.close_code, call.ended.error_type) == (1000, "max_duration_exceeded")


def test_it_ends_when_the_goodbye_was_heard() -> None:
    call = limited()
    call.silence(15)
    heard = call.times(Audio)[0] + sum(map(seconds, call.messages(Audio)))
    assert call.ended_at == pytest.approx(heard + HANG_UP_S, abs=0.05)


def test_without_a_goodbye_it_ends_at_once() -> None:
    call = limited(goodbye="")
    call.sends_nothing(5.02)
    assert isinstance(call.ended, TimeIsUp)
    assert call.messages(Audio) == []


def test_the_goodbye_cannot_be_talked_over() -> None:
    call = limited()
    call.silence(5.5)
    call.says("espera eu ainda queria perguntar uma coisa")
    call.silence(5)
    assert call.outline()[1:] == [f"agent: {TIME_UP}", "audio"]
    assert isinstance(call.ended, TimeIsUp)


def test_nor_typed_over() -> None:
    call = limited()
    call.silence(5.5)
    call.types("espera")
    call.silence(15)
    assert isinstance(call.ended, TimeIsUp), "or the call would have no end at all"
    assert sum(map(seconds, call.messages(Audio))) == pytest.approx(len(TIME_UP) / 14, abs=0.1)


@pytest.mark.parametrize("sound", [[], [b"\1" * 6400]], ids=["at once", "midway"])
def test_a_goodbye_that_sticks_does_not_keep_the_call_alive(sound: list[Piece]) -> None:
    call = limited(voice=lambda _: [*sound, None])
    call.silence(5 + REPLY_BUDGET_S + 1)
    assert call.ended is not None


def test_an_answer_is_cut_off_by_it() -> None:
    answer = "Um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze."
    call = limited(model=lambda _: [answer])
    call.silence(3)
    call.says("conte")
    call.silence(10)
    [correction] = call.messages(AgentResponseCorrection)
    assert answer.startswith(correction.corrected_agent_response)
    assert correction.corrected_agent_response
    assert call.outline()[-2:] == [f"agent: {TIME_UP}", "audio"]
    assert isinstance(call.ended, TimeIsUp)


def test_so_is_the_caller() -> None:
    call = limited()
    call.silence(4)
    call.says("quero saber o preço de tudo o que vocês têm na loja hoje")
    call.silence(6)
    assert call.outline()[1:] == [f"agent: {TIME_UP}", "audio"]
    assert isinstance(call.ended, TimeIsUp)


def test_so_is_a_tool() -> None:
    call = Call(equipped(client(), max_duration_seconds=5), model=script(["Vou ver.", asks("abrir")]))
    call.silence(3)
    call.types("abre")
    call.silence(10)
    assert call.stopped >= {1}
    assert call.outline()[-2:] == [f"agent: {TIME_UP}", "audio"]
    assert isinstance(call.ended, TimeIsUp)


def test_in_writing_it_ends_at_once() -> None:
    call = Call(agent(text_only=True, max_duration_seconds=5))
    call.sends_nothing(6)
    assert call.outline()[1:] == [f"agent: {TIME_UP}"]
    assert isinstance(call.ended, TimeIsUp)
