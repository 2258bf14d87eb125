"""How long a pause lasts before the turn is the agent's: what the words say, what the judge says, and the manners."""

import pytest

from serve_app.conversation.decisions import Discard, Judge, Judged, Judgement, Prepare, TakeTurn
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import (
    DOUBT_S,
    FINISHED_FROM,
    PATIENCE_S,
    SILENCE_S,
    SPELLING_S,
    UNFINISHED_BELOW,
    UNSURE_S,
    silence_needed,
)
from serve_app.conversation.manners import Eagerness, Manners
from serve_app.conversation.turn_states import State
from tests.conversation.ear import (
    FINISHED,
    UNDECIDED,
    UNFINISHED,
    Ear,
    frames_ms,
    heard,
    pause,
    stopped,
)

NORMAL = Manners()
EAGER, PATIENT = Manners("eager"), Manners("patient")
NO_SPELLING = Manners(spelling=False)
EAGERNESS: list[Eagerness] = ["eager", "normal", "patient"]
DOUBT = (UNFINISHED_BELOW, FINISHED_FROM - 0.01)
"""Scores with which the judge is not sure."""


# ---- the rule


def test_no_silence_is_longer_than_1200_ms_or_shorter_than_250() -> None:
    every = [
        silence_needed(Manners(eagerness, spelling), ending, turn_end)
        for eagerness in EAGERNESS
        for spelling in (True, False)
        for ending in (*Ending, None)
        for turn_end in (None, 0.0, 0.3, 1.0)
    ]
    assert min(every) == SILENCE_S == 0.250
    assert max(every) == SPELLING_S == PATIENCE_S["patient"] == 1.200


@pytest.mark.parametrize("turn_end", [None, 0.0, *DOUBT, 1.0])
@pytest.mark.parametrize("eagerness", EAGERNESS)
def test_words_that_say_it_need_no_judge(eagerness: Eagerness, turn_end: float | None) -> None:
    manners = Manners(eagerness)
    assert silence_needed(manners, Ending.COMPLETE, turn_end) == SILENCE_S
    assert silence_needed(manners, Ending.UNFINISHED, turn_end) == PATIENCE_S[eagerness]
    assert silence_needed(manners, Ending.SPELLING, turn_end) == SPELLING_S


@pytest.mark.parametrize("ending", [None, Ending.UNCLEAR])
@pytest.mark.parametrize("eagerness", EAGERNESS)
def test_where_words_say_nothing_the_judge_does(eagerness: Eagerness, ending: Ending | None) -> None:
    manners = Manners(eagerness)
    assert silence_needed(manners, ending, FINISHED_FROM) == SILENCE_S
    assert silence_needed(manners, ending, UNFINISHED_BELOW - 0.01) == PATIENCE_S[eagerness]


@pytest.mark.parametrize("ending", [None, Ending.UNCLEAR])
def test_where_nobody_knows_the_eager_do_not_wait(ending: Ending | None) -> None:
    assert silence_needed(NORMAL, ending, None) == silence_needed(PATIENT, ending, None) == UNSURE_S
    assert silence_needed(EAGER, ending, None) == SILENCE_S


@pytest.mark.parametrize("turn_end", DOUBT)
@pytest.mark.parametrize("ending", [None, Ending.UNCLEAR])
@pytest.mark.parametrize("eagerness", EAGERNESS)
def test_a_judge_in_doubt_is_a_reason_to_wait(eagerness: Eagerness, ending: Ending | None, turn_end: float) -> None:
    assert silence_needed(Manners(eagerness), ending, turn_end) == DOUBT_S


def test_the_patience_for_numbers_can_be_switched_off() -> None:
    assert silence_needed(NO_SPELLING, Ending.SPELLING, None) == PATIENCE_S["normal"]


# ---- in a pause


def taken_at(ear: Ear, began: int, ms: int = 1500) -> list[int]:
    """When the turn is taken, ms into the pause."""
    return [at - began for at, decision in ear.quiet(ms) if isinstance(decision, TakeTurn)]


@pytest.mark.parametrize("ending", [*Ending, None])
@pytest.mark.parametrize("eagerness", EAGERNESS)
def test_the_turn_is_taken_when_the_silence_is_enough(eagerness: Eagerness, ending: Ending | None) -> None:
    manners = Manners(eagerness, backchannels=False)
    ear = pause(manners)
    began = ear.ms - 60
    assert ear.words(ending=ending) == [Prepare()]
    assert taken_at(ear, began) == [frames_ms(silence_needed(manners, ending, None))]


@pytest.mark.parametrize("judgement", [FINISHED, UNDECIDED, UNFINISHED])
@pytest.mark.parametrize("ending", Ending)
def test_the_judge_has_its_say(ending: Ending, judgement: Judgement) -> None:
    ear = pause()
    began = ear.ms - 60
    ear.words(ending=ending)
    ear.quiet(80)
    ear.judged(judgement)
    assert taken_at(ear, began) == [frames_ms(silence_needed(NORMAL, ending, judgement.turn_end))]


def test_the_judge_is_asked_at_140_and_500_ms_and_no_more() -> None:
    ear = pause(Manners("patient", backchannels=False))
    began = ear.ms - 60
    ear.words(ending=Ending.UNFINISHED)
    ear.quiet(1300)
    asked = [(ms - began, d) for ms, d in ear.taken if isinstance(d, Judge)]
    assert [at for at, _ in asked] == [140, 500]
    assert {d.start for _, d in asked} == {500 * 16}, "the whole of the present speech"
    assert not any(d.overlap for _, d in asked)


def test_in_the_next_pause_it_is_asked_anew() -> None:
    ear = pause()
    for _ in range(3):
        began = ear.ms
        ear.quiet(200)
        ear.voice(300)
        assert [type(d) for ms, d in ear.taken if ms > began].count(Judge) == 1


def test_the_judges_second_view_counts() -> None:
    """A pause that lasts may sound different."""
    ear = pause()
    began = ear.ms - 60
    ear.words(ending=Ending.UNCLEAR)
    ear.quiet(80)
    ear.judged(UNFINISHED)
    ear.quiet(360)
    assert ear.ms - began == 500
    ear.judged(FINISHED)
    assert taken_at(ear, began) == [520]


def test_the_judges_doubt_is_of_one_pause() -> None:
    ear = pause()
    ear.quiet(100)
    ear.judged(UNFINISHED)
    ear.voice(500)
    began = ear.ms
    ear.quiet(60)
    ear.words(ending=Ending.UNCLEAR)
    assert taken_at(ear, began) == [frames_ms(UNSURE_S)]


def test_an_answer_about_the_pause_before_is_void() -> None:
    ear = pause()
    ear.quiet(100)
    asked = ear.asked(Judge)
    ear.voice(500)
    began = ear.ms
    ear.quiet(60)
    ear.words(ending=Ending.UNCLEAR)
    ear.turns.judged(asked, UNFINISHED)
    assert taken_at(ear, began) == [frames_ms(UNSURE_S)]


def test_what_the_judge_has_changed_is_told_with_the_decision() -> None:
    def judged(judgement: Judgement, ending: Ending) -> list[Judged]:
        ear = pause()
        ear.words(ending=ending)
        ear.quiet(80)
        ear.judged(judgement)
        return [d for _, d in ear.quiet(1500) if isinstance(d, Judged)]

    assert judged(FINISHED, Ending.UNCLEAR) == [Judged("pause", "0.35 s", "0.25 s")]
    assert judged(UNFINISHED, Ending.UNCLEAR) == [Judged("pause", "0.35 s", "0.90 s")]
    assert judged(UNFINISHED, Ending.COMPLETE) == [Judged("pause", "0.25 s", "0.25 s")]


def test_it_is_told_too_when_the_caller_goes_on() -> None:
    ear = pause()
    ear.quiet(100)
    ear.judged(UNFINISHED)
    ear.quiet(300)
    assert [d for _, d in ear.voice(20)] == [Judged("pause", "0.35 s", "0.90 s"), Discard()]


# ---- words that are late


def test_words_that_come_after_the_decision_and_go_on_give_the_floor_back() -> None:
    ear = heard()
    began = ear.ms - frames_ms(UNSURE_S)
    assert ear.words(ending=Ending.UNFINISHED) == [Prepare()]
    assert ear.turns.state is State.PAUSE
    assert taken_at(ear, began) == [frames_ms(PATIENCE_S["normal"])]


def test_and_the_caller_who_does_go_on_is_one_turn() -> None:
    ear = heard()
    ear.words(ending=Ending.UNFINISHED)
    ear.quiet(100)
    assert Discard() in [d for _, d in ear.voice(20)]
    assert ear.turns.state is State.CALLER


@pytest.mark.parametrize("ending", [Ending.COMPLETE, Ending.UNCLEAR, None])
def test_other_words_that_come_after_the_decision_take_the_turn(ending: Ending | None) -> None:
    ear = heard()
    began = ear.ms - frames_ms(UNSURE_S)
    assert stopped(ear.words(ending=ending)) == pytest.approx(began / 1000)


def test_words_that_go_on_but_come_when_their_silence_is_over_take_the_turn() -> None:
    ear = heard()
    ear.quiet(frames_ms(PATIENCE_S["normal"] - UNSURE_S))
    assert isinstance(ear.words(ending=Ending.UNFINISHED)[0], TakeTurn)
