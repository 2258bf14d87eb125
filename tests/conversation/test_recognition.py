from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.decisions import Overhear, Recognise, Words
from serve_app.conversation.endings import Ending
from serve_app.conversation.recognition import LEAD_IN, OVERHEAR_EVERY, RECOGNISE_EVERY, Recognition
from serve_app.conversation.speculation import Ration

ONSET = 16_000
END = ONSET + OVERHEAR_EVERY


def recognition() -> Recognition:
    return Recognition(Ration())


def test_the_recogniser_gets_what_came_just_before_the_onset() -> None:
    assert recognition().ask(ONSET, END) == [Recognise(1, ONSET - LEAD_IN, END)]
    assert recognition().ask(0, END) == [Recognise(1, 0, END)]


def test_the_first_answer_to_the_newest_counts() -> None:
    words = recognition()
    words.ask(ONSET, END)
    assert not words.answered(0, Words.SPEECH, None)
    assert words.answered(1, Words.SPEECH, Ending.COMPLETE)
    assert not words.answered(1, Words.NONE, None)
    assert (words.words, words.ending) == (Words.SPEECH, Ending.COMPLETE)


def test_what_is_forgotten_is_not_answered() -> None:
    words = recognition()
    words.ask(ONSET, END)
    words.forget()
    assert not words.answered(1, Words.SPEECH, None)
    assert (words.asked, words.words, words.ending) == (False, None, None)
    assert words.until == END, "that it was asked for is remembered"


@given(st.lists(st.integers(1, 2 * RECOGNISE_EVERY)))
def test_early_recognitions_are_apart(steps: list[int]) -> None:
    words, end, asked = recognition(), 0, []
    for step in steps:
        end += step
        if words.may_begin(0, end, 0.0):
            words.ask(0, end)
            asked.append(end)
    assert all(later - earlier >= RECOGNISE_EVERY for earlier, later in pairwise(asked))
    assert bool(asked) == bool(steps)


def test_a_look_is_due_after_a_second_of_speech_and_each_second_from_then_on() -> None:
    words = recognition()
    words.begin(ONSET)
    assert words.overhear(ONSET, END - 1, 0.0) == []
    assert words.overhear(ONSET, END, 0.0) == [Overhear(1, ONSET - LEAD_IN, END)]
    assert words.overhear(ONSET, END + OVERHEAR_EVERY - 1, 0.0) == []
    assert words.overhear(ONSET, END + OVERHEAR_EVERY, 0.0) != []


def test_without_a_ration_nothing_is_recognised_early() -> None:
    words = Recognition(None)
    assert not words.may_begin(ONSET, END, 0.0)
    assert words.overhear(ONSET, END, 0.0) == []
