"""Calls in which the caller pauses: when that is the end of their turn, and when it is not."""

from typing import Any

import pytest

from serve_app.conversation.agent import Agent, Turn
from serve_app.conversation.decisions import Judgement
from serve_app.conversation.endpointing import PATIENCE_S, SILENCE_S, UNSURE_S
from serve_app.conversation.manners import Eagerness
from serve_app.conversation.server_messages import AgentResponse, InternalTurnProbability, UserTranscript
from tests.conversation.ear import frames_ms
from tests.conversation.score import EVENTS, Call, agent

QUESTION, OPEN, UNCLEAR = "que horas são?", "eu queria um café e", "eu queria um café"
"""A whole question; what goes on; what may or may not."""
EAGERNESS: list[Eagerness] = ["eager", "normal", "patient"]


def described(eagerness: Eagerness = "normal", *, spelling: bool = True, events: tuple[str, ...] = EVENTS) -> Agent:
    patience = "auto" if spelling else "off"
    turn = Turn(eagerness, patience, turn_timeout=30.0, initial_wait_time=300.0)
    return agent(turn=turn, events=events)


def turns(first: str, pause_s: float, then: str, who: Agent | None = None, **others: Any) -> list[str]:
    """The caller's turns, of what they say with a pause in it."""
    call = Call(who or described(), **others)
    call.silence(1)
    call.says(first)
    call.silence(pause_s)
    call.says(then)
    call.silence(8)
    return [message.user_transcript for message in call.messages(UserTranscript)]


def taken_after(text: str, who: Agent | None = None, **others: Any) -> float:
    """Seconds of silence until the turn is taken."""
    call = Call(who or described(), **others)
    call.silence(1)
    call.says(text)
    stopped = call.now
    call.silence(3)
    return round(call.times(UserTranscript)[0] - stopped, 3)


def silence(seconds: float) -> float:
    """To the end of the frame in which it is full."""
    return frames_ms(seconds) / 1000


# ---- how long it takes


@pytest.mark.parametrize("eagerness", EAGERNESS)
def test_a_whole_question_is_answered_at_once(eagerness: Eagerness) -> None:
    assert taken_after(QUESTION, described(eagerness)) == silence(SILENCE_S)


@pytest.mark.parametrize("eagerness", EAGERNESS)
def test_words_that_go_on_are_waited_for_as_patiently_as_the_agent_is(eagerness: Eagerness) -> None:
    assert taken_after(OPEN, described(eagerness)) == silence(PATIENCE_S[eagerness])


def test_what_may_be_all_is_answered_a_little_later() -> None:
    assert taken_after(UNCLEAR) == silence(UNSURE_S)


@pytest.mark.parametrize(("turn_end", "needed"), [(0.0, PATIENCE_S["normal"]), (1.0, SILENCE_S)])
def test_or_as_the_judge_finds(turn_end: float, needed: float) -> None:
    assert taken_after(UNCLEAR, judge=lambda _: Judgement(turn_end, 0.0)) == silence(needed)


@pytest.mark.parametrize("turn_end", [0.0, 1.0])
def test_words_that_say_it_need_no_judge(turn_end: float) -> None:
    judge = lambda _: Judgement(turn_end, 0.0)  # noqa: E731
    assert taken_after(QUESTION, judge=judge) == silence(SILENCE_S)
    assert taken_after(OPEN, judge=judge) == silence(PATIENCE_S["normal"])


def test_words_that_were_hard_to_make_out_prove_nothing() -> None:
    call = Call(described())
    call.confidence = 0.3
    call.silence(1)
    call.says(QUESTION)
    stopped = call.now
    call.silence(3)
    assert call.times(UserTranscript)[0] - stopped == pytest.approx(silence(UNSURE_S))


# ---- what is one turn


@pytest.mark.parametrize("pause_s", [0.2, 0.4, 0.6, 0.75])
def test_a_pause_in_a_sentence_is_none_of_the_agents(pause_s: float) -> None:
    assert turns(OPEN, pause_s, "um pão") == ["eu queria um café e um pão"]


def test_the_eager_take_it_for_one() -> None:
    assert turns(OPEN, 0.8, "um pão", described("eager")) == ["eu queria um café e", "um pão"]


@pytest.mark.parametrize("pause_s", [0.5, 1.0])
def test_a_number_is_dictated_in_peace(pause_s: float) -> None:
    assert turns("meu CPF é 123 456", pause_s, "789 09") == ["meu CPF é 123 456 789 09"]


def test_unless_the_agent_has_no_patience_for_it() -> None:
    said = turns("meu CPF é 123 456", 1.0, "789 09", described(spelling=False))
    assert said == ["meu CPF é 123 456", "789 09"]


def test_a_number_that_is_whole_is_answered_at_once() -> None:
    assert taken_after("meu CPF é 123 456 789 09") == silence(SILENCE_S)


@pytest.mark.parametrize("recogniser_s", [0.05, 0.3, 0.45])
def test_a_pause_is_one_even_if_its_words_are_late(recogniser_s: float) -> None:
    """They come after the turn was decided: the floor goes back."""
    assert turns(OPEN, 0.7, "um pão", recogniser_s=recogniser_s) == ["eu queria um café e um pão"]


def test_words_that_go_on_and_end_there_are_answered_all_the_same() -> None:
    call = Call(described(), recogniser_s=0.5)
    call.silence(1)
    call.says(OPEN)
    call.silence(4)
    assert call.outline()[1:] == [f"user: {OPEN}", f"agent: Você disse {OPEN}.", "audio"]


def test_the_answer_to_what_goes_on_is_that_to_all_of_it() -> None:
    call = Call(described())
    call.silence(1)
    call.says(OPEN)
    call.silence(0.6)
    call.says("um pão")
    call.silence(5)
    [answer] = call.messages(AgentResponse)
    assert answer.agent_response == "Você disse eu queria um café e um pão."


# ---- what is told of it


def test_what_the_judge_makes_of_a_pause_can_be_watched() -> None:
    events = (*EVENTS, InternalTurnProbability.TYPE)
    call = Call(described(events=events), judge=lambda _: Judgement(0.1, 0.0))
    call.silence(1)
    call.says(OPEN)
    call.silence(3)
    assert [message.turn_probability for message in call.messages(InternalTurnProbability)] == [0.1, 0.1]
    asked, again = call.times(InternalTurnProbability)
    assert asked - call.stopped_at == pytest.approx(0.140 + call.judge_s)
    assert again - call.stopped_at == pytest.approx(0.500 + call.judge_s)


@pytest.mark.parametrize(("text", "changed"), [(UNCLEAR, True), (OPEN, False)])
def test_what_the_judge_has_changed_is_on_the_record(text: str, *, changed: bool) -> None:
    call = Call(described(), judge=lambda _: Judgement(0.1, 0.0))
    call.silence(1)
    call.says(text)
    call.silence(3)
    [judged] = call.log("judgement")
    assert (judged["of"], judged["decided"], judged["changed"]) == ("pause", "0.90 s", changed)
