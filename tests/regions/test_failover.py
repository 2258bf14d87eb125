"""What is made of callers' moments: the page's rows, and the bars."""

import signal

import pytest

from tests.regions.failover import LOSSES, Loss, Outcome, section
from tests.regions.failover_caller import FailoverCaller

SHARED, APART = Loss("killed, one store", signal.SIGKILL, True), Loss("killed, a store each", signal.SIGKILL, False)


def caller(back: float | None = 101.5, *, anew: bool = False, answered: float | None = 104.0) -> FailoverCaller:
    made = FailoverCaller(1)
    made.noticed, made.back, made.anew, made.answered = 100.1, back, anew, answered
    made.sound = back and back + 0.5
    return made


def outcome(loss: Loss, *callers: FailoverCaller) -> Outcome:
    return Outcome(loss, 100.0, callers)


@pytest.mark.parametrize(
    ("suffered", "promised"),
    [
        (outcome(SHARED, caller(), caller(109.9)), True),
        (outcome(SHARED, caller(), caller(110.1)), False),
        (outcome(SHARED, caller(), caller(None)), False),
        (outcome(SHARED, caller(), caller(answered=None)), False),
        (outcome(SHARED, caller(), caller(anew=True)), False),
        (outcome(APART, caller(109.5, anew=True)), True),
        (outcome(APART, caller(109.5)), False),
    ],
)
def test_a_promise_is_kept_to_every_caller(suffered: Outcome, promised: bool) -> None:
    assert suffered.is_as_promised is promised


def test_of_what_was_said_in_the_gap_nothing_may_be_lost() -> None:
    lost = caller()
    lost.lost_s = 0.4
    assert not outcome(SHARED, lost).is_as_promised


def test_the_page_has_a_row_and_a_bar_for_each_loss() -> None:
    page = section(
        [outcome(SHARED, caller(), caller(103.0)), outcome(APART, caller(None), caller(109, anew=True))], 0.5
    )
    assert "| killed, one store | 2 went on, 0 began anew | 0.1, 0.1 | 1.5, 3.0 | 2.0, 3.5 | 2 of 2 |" in page
    assert "| killed, a store each | 0 went on, 1 began anew | 0.1, 0.1 | 9.0, 9.0 | 9.5, 9.5 | 2 of 2 |" in page
    assert "- killed, one store: met" in page
    assert "- killed, a store each: **not met**" in page


def test_both_ways_of_a_loss_with_both_kinds_of_store() -> None:
    assert len({(loss.how, loss.shared) for loss in LOSSES}) == 4


def test_one_loss_falls_into_a_question_that_another_conversation_must_hear_whole() -> None:
    assert [loss.shared for loss in LOSSES if loss.mid_question] == [False]
