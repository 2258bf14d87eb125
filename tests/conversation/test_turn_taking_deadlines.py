"""What turn-taking waits for may never come: it goes on all the same."""

import pytest

from serve_app.conversation.decisions import (
    Duck,
    Hold,
    Interrupt,
    Judge,
    Judgement,
    NoWords,
    Recognise,
    Swell,
    TakeTurn,
    Words,
)
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import PATIENCE_S, SILENCE_S, SPELLING_S, UNSURE_S
from serve_app.conversation.overlap import JUDGE_FROM
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import HOLD_AFTER_S, HOLD_AT_LEAST_S, RECOGNITION_BUDGET_S, STALLED_S
from tests.conversation.ear import (
    FINISHED,
    INTERRUPTION,
    REACH,
    UNFINISHED,
    caller,
    frames_ms,
    heard,
    overlap,
    pause,
    samples_ms,
    speaking,
    stopped,
)

# ---- a client that stops sending


def test_a_client_that_stops_sending_has_stopped_speaking() -> None:
    ear = caller()
    deadline = ear.deadline()
    assert deadline == pytest.approx(ear.now + SILENCE_S + STALLED_S)
    assert ear.turns.tick(deadline - 0.01) == []
    assert [type(d) for d in ear.turns.tick(deadline)] == [Recognise]
    assert ear.turns.state is State.HEARD


def test_the_caller_stopped_at_the_last_that_was_heard() -> None:
    ear = caller()
    spoken_until = ear.now
    ear.tick()
    assert stopped(ear.words()) == pytest.approx(spoken_until)


def test_the_silence_that_did_arrive_counts() -> None:
    ear = pause()
    assert ear.deadline() == pytest.approx(ear.now + SILENCE_S - 0.060 + STALLED_S)


@pytest.mark.parametrize(
    ("ending", "silence_s"),
    [
        (Ending.COMPLETE, SILENCE_S),
        (Ending.UNCLEAR, UNSURE_S),
        (Ending.UNFINISHED, PATIENCE_S["normal"]),
        (Ending.SPELLING, SPELLING_S),
    ],
)
def test_a_client_that_stops_sending_in_a_pause_gets_the_silence_that_its_words_call_for(
    ending: Ending, silence_s: float
) -> None:
    ear = pause()
    ear.words(ending=ending)
    assert ear.deadline() == pytest.approx(ear.now - 0.060 + max(silence_s, SILENCE_S + STALLED_S))
    quiet_from = ear.now - 0.060
    assert stopped(ear.tick()) == pytest.approx(quiet_from)


def test_words_that_go_on_are_answered_if_the_client_has_stopped_sending() -> None:
    """Nothing is left to count the rest of the silence by."""
    ear = caller()
    ear.tick()
    assert [type(d) for d in ear.words(ending=Ending.UNFINISHED)] == [TakeTurn]


def test_a_client_that_stops_sending_after_words_that_go_on_is_answered() -> None:
    ear = heard()
    ear.words(ending=Ending.UNFINISHED)
    assert ear.turns.state is State.PAUSE
    assert ear.deadline() == pytest.approx(ear.now + STALLED_S)
    assert [type(d) for d in ear.tick()] == [TakeTurn]


def test_an_overlap_of_which_no_more_is_heard_swells_back() -> None:
    ear = overlap()
    assert ear.deadline() == pytest.approx(ear.now + STALLED_S)
    assert ear.tick() == [Swell()]
    assert ear.turns.state is State.AGENT


def test_an_interrupter_who_stops_sending_is_answered() -> None:
    ear = speaking()
    ear.voice(samples_ms(JUDGE_FROM))
    assert Interrupt() in ear.judged(INTERRUPTION)
    ear.tick()
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_a_caller_who_stops_sending_at_the_end_of_the_answer_is_answered() -> None:
    ear = speaking()
    ear.voice(100)
    ear.turns.agent_finished()
    ear.tick()
    assert [type(d) for d in ear.words()] == [TakeTurn]


@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING, State.AGENT])
def test_states_that_wait_for_nothing_of_the_callers_have_no_deadline(state: State) -> None:
    ear = REACH[state]()
    assert ear.turns.deadline() is None
    assert ear.turns.tick(ear.now + 1000) == []


@pytest.mark.parametrize("state", State)
def test_a_client_that_comes_back_after_any_time_is_answered(state: State) -> None:
    ear = REACH[state]()
    ear.now += 60
    while ear.turns.tick(ear.now):
        pass
    ear.turns.agent_finished()
    ear.voice(1000)
    ear.quiet(frames_ms(UNSURE_S))
    assert [type(d) for d in ear.words()] == [TakeTurn]


# ---- a recogniser


def test_a_recogniser_that_never_answers_is_given_up() -> None:
    ear = heard()
    waits_from = ear.now - (frames_ms(UNSURE_S) / 1000 - SILENCE_S)
    assert ear.deadline() == pytest.approx(waits_from + HOLD_AFTER_S)
    assert ear.tick() == [Hold()]
    assert ear.deadline() == pytest.approx(waits_from + RECOGNITION_BUDGET_S)
    assert ear.tick() == [NoWords(owed=True, overdue=True)]
    assert ear.turns.state is State.LISTENING
    assert ear.words() == [], "too late"


def test_after_a_long_pause_the_words_get_their_moment_all_the_same() -> None:
    ear = caller()
    ear.now += 10  # no clock was heard
    ear.note(ear.turns.tick(ear.now))
    assert ear.turns.state is State.HEARD
    assert ear.deadline() == pytest.approx(ear.now + HOLD_AT_LEAST_S)


@pytest.mark.parametrize("ending", Ending)
def test_words_that_come_after_the_hold_take_the_turn_whatever_they_are(ending: Ending) -> None:
    ear = heard()
    ear.tick()
    assert [type(d) for d in ear.words(ending=ending)] == [TakeTurn]


def test_no_words_after_the_hold_are_owed_an_answer() -> None:
    ear = heard()
    ear.tick()
    assert ear.words(Words.NONE) == [NoWords(owed=True)]


def test_a_caller_who_goes_on_after_the_hold_is_one_turn() -> None:
    ear = heard()
    ear.tick()
    ear.voice(500)
    ear.quiet(frames_ms(UNSURE_S))
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_a_recogniser_that_never_answers_over_the_agent_holds_nothing_up() -> None:
    ear = speaking()
    ear.voice(240)
    ear.quiet(2000)
    assert ear.turns.state is State.AGENT
    assert Duck() in [d for _, d in ear.noise(60)]
    ear.quiet(500)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING


# ---- a judge


def test_a_judge_that_never_answers_leaves_the_pause_to_the_rules() -> None:
    ear = pause()
    began = ear.ms - 60
    ear.words(ending=Ending.UNCLEAR)
    taken = ear.quiet(500)
    assert [ms - began for ms, d in taken if isinstance(d, Judge)] == [140]
    assert [ms - began for ms, d in taken if isinstance(d, TakeTurn)] == [frames_ms(UNSURE_S)]


@pytest.mark.parametrize("judgement", [FINISHED, UNFINISHED])
@pytest.mark.parametrize("state", [State.LISTENING, State.CALLER, State.HEARD, State.THINKING, State.AGENT])
def test_an_answer_of_the_judges_that_nobody_waits_for_changes_nothing(state: State, judgement: Judgement) -> None:
    ear = REACH[state]()
    assert ear.judged(judgement) == []
    assert ear.turns.state is state
