"""Calls in which the caller speaks over the agent: what its file makes of that; and over the end of its words."""

import pytest

from serve_app.conversation.agent import Hello
from serve_app.conversation.dialogue import Message
from serve_app.conversation.manners import Strategy
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseCorrection,
    Audio,
    ClientToolCall,
    Interruption,
)
from tests.conversation.score import LEVEL, Call, agent, conversation_of, echo, said
from tests.conversation.test_conversation_overlap import FIRST, SECOND, STORY, THIRD, call, levels, sound, tells
from tests.conversation.toolkit import TOOL_EVENTS, asks, client, prompted

# ---- as the agent's file has it


def interrupter(strategy: Strategy) -> tuple[Call, float]:
    """Somebody who has plenty to say in the first of three sentences."""
    told = call(tells(overlap=strategy))
    began = told.now
    told.says("eu queria falar de outra coisa")
    told.silence(10)
    return told, began


def test_who_yields_immediately_waits_for_no_judge() -> None:
    told, began = interrupter("yield_immediately")
    [cut] = told.times(Interruption)
    assert cut - began < 0.25
    assert told.outline()[-3] == "user: eu queria falar de outra coisa"


def test_who_holds_the_floor_finishes_the_sentence_and_then_answers() -> None:
    told, _ = interrupter("hold_floor")
    assert told.outline() == [
        "metadata",
        f"agent: {STORY}",
        "audio",
        f"heard: {FIRST}",
        "user: eu queria falar de outra coisa",
        "agent: Você disse eu queria falar de outra coisa.",
        "audio",
    ]
    assert conversation_of(told) == [
        Message("assistant", FIRST),
        Message("user", "eu queria falar de outra coisa"),
    ]
    assert THIRD not in said(told), "what will not be said is not asked of the voice"


def test_who_holds_the_floor_says_the_sentence_to_its_end_at_full_voice() -> None:
    alone = call(tells(FIRST), after=8)
    told, _ = interrupter("hold_floor")
    [corrected] = told.times(AgentResponseCorrection)
    first = [message for at, message in told.sent if isinstance(message, Audio) and at <= corrected]
    assert sum(len(message.audio_base_64) for message in first) == sound(alone)
    assert int.from_bytes(first[-1].audio_base_64[-2:], "little") == LEVEL


def test_who_holds_the_floor_does_not_hear_the_model_out() -> None:
    told = Call(tells("", overlap="hold_floor"), model=lambda _: [f"{word} " for word in STORY.split()])
    told.token_s = 0.2
    told.silence(1)
    told.says("conta uma história?")
    told.silence(3)
    told.says("eu queria falar de outra coisa")
    told.silence(12)
    cut, answer = told.messages(AgentResponse)
    assert cut.agent_response.startswith(FIRST)
    assert SECOND not in cut.agent_response
    assert len(told.thought) == 2
    assert 1 in told.stopped
    assert answer.agent_response == STORY


def test_who_holds_the_floor_uses_no_tool_that_was_asked_for_after_it_yielded() -> None:
    described = agent(prompt=prompted(client("abrir")), events=TOOL_EVENTS, hello=Hello(overlap="hold_floor"))
    told = Call(described, model=lambda _: [*(f"{word} " for word in FIRST.split()), asks("abrir", "call_1")])
    told.token_s = 0.2
    told.silence(1)
    told.says("conta uma história?")
    told.silence(1.5)
    told.says("não, espera aí um pouco")
    told.model, told.token_s = echo, 0.01
    told.silence(8)
    assert told.outline()[-3:] == [
        "user: não, espera aí um pouco",
        "agent: Você disse não, espera aí um pouco.",
        "audio",
    ]
    assert not told.messages(ClientToolCall)


def test_who_holds_the_floor_and_is_at_the_last_sentence_has_said_it_all() -> None:
    told = call(tells(FIRST, overlap="hold_floor"))
    told.says("eu queria falar de outra coisa")
    told.silence(10)
    assert told.outline()[:4] == ["metadata", f"agent: {FIRST}", "audio", "user: eu queria falar de outra coisa"]
    assert not told.messages(AgentResponseCorrection)


def test_who_holds_the_floor_gives_it_to_a_word_too_and_answers_it_once() -> None:
    told = call(tells(overlap="hold_floor"))
    told.says("espera!", seconds=0.3)
    told.silence(10)
    assert told.outline()[3:] == [f"heard: {FIRST}", "user: espera!", "agent: Você disse espera!.", "audio"]


def test_who_holds_the_floor_answers_even_an_interruption_without_words() -> None:
    told = call(tells(overlap="hold_floor"))
    told.says("", seconds=1.0)
    told.silence(10)
    assert len(told.messages(AgentResponse)) == 2
    assert told.outline()[-1] == "audio"


def test_an_agent_whose_overlap_is_disabled_says_all_and_hears_nothing_of_it() -> None:
    told, _ = interrupter("disabled")
    assert told.outline() == ["metadata", f"agent: {STORY}", "audio"]
    assert not told.recognised
    assert levels(told) == {LEVEL}


def test_unless_it_is_to_hear_it_afterwards() -> None:
    told = call(tells(overlap="disabled", turn={"transcribe_on_disabled_interruptions": True}))
    told.says("eu queria falar de outra coisa")
    told.silence(14)
    assert told.outline() == [
        "metadata",
        f"agent: {STORY}",
        "audio",
        "user: eu queria falar de outra coisa",
        "agent: Você disse eu queria falar de outra coisa.",
        "audio",
    ]


# ---- over the end


@pytest.mark.parametrize("before_the_end", [0.1, 0.3, 0.6])
def test_what_is_begun_over_the_end_of_an_answer_is_a_turn(before_the_end: float) -> None:
    length = sound(call(tells(FIRST), after=8)) / 32_000
    told = call(tells(FIRST), after=0.08 + length - before_the_end)
    told.says("quero um café")
    told.silence(4)
    assert told.outline()[-3:] == ["user: quero um café", "agent: Você disse quero um café.", "audio"]


def test_a_word_over_the_end_of_an_answer_is_a_turn() -> None:
    length = sound(call(tells(FIRST), after=8)) / 32_000
    told = call(tells(FIRST), after=0.08 + length - 0.5)
    told.says("espera!", seconds=0.3)
    told.silence(4)
    assert told.outline()[-3:] == ["user: espera!", "agent: Você disse espera!.", "audio"]
