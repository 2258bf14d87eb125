"""What turn-taking waits for may never come: it goes on all the same."""

import pytest

from serve_app.conversation.decisions import Hold, NoWords, Recognise, Swell
from serve_app.conversation.turn_taking import HOLD_AFTER_S, RECOGNITION_BUDGET_S, STALLED_S, State
from tests.conversation.ear import (
    REACH,
    caller,
    heard,
    overlap,
    pause,
    stopped,
)


def test_a_client_that_stops_sending_has_stopped_speaking() -> None:
    ear = caller()
    deadline = ear.deadline()
    assert deadline == pytest.approx(ear.now + 0.250 + STALLED_S)
    assert ear.turns.tick(deadline - 0.01) == []
    assert [type(d) for d in ear.turns.tick(deadline)] == [Recognise]
    assert ear.turns.state is State.HEARD
    assert stopped(ear.words()) == pytest.approx(ear.now)


def test_the_silence_that_did_arrive_counts() -> None:
    ear = pause()
    assert ear.deadline() == pytest.approx(ear.now + 0.190 + STALLED_S)


def test_a_recogniser_that_never_answers_is_given_up() -> None:
    ear = heard()
    decided = ear.ms / 1000 - 0.040  # the frame grid: 250 ms are over at 260
    deadline = ear.deadline()
    assert deadline == pytest.approx(decided + HOLD_AFTER_S)
    assert ear.turns.tick(deadline) == [Hold()]
    deadline = ear.deadline()
    assert deadline == pytest.approx(decided + RECOGNITION_BUDGET_S)
    assert ear.turns.tick(deadline) == [NoWords(owed=True, overdue=True)]
    assert ear.turns.state is State.LISTENING
    assert ear.words() == [], "too late"


def test_an_overlap_of_which_no_more_is_heard_swells_back() -> None:
    ear = overlap()
    deadline = ear.deadline()
    assert ear.turns.tick(deadline) == [Swell()]
    assert ear.turns.state is State.AGENT


@pytest.mark.parametrize("state", [State.LISTENING, State.THINKING, State.AGENT])
def test_states_that_wait_for_nothing_of_the_callers_have_no_deadline(state: State) -> None:
    ear = REACH[state]()
    assert ear.turns.deadline() is None
    assert ear.turns.tick(ear.now + 1000) == []
