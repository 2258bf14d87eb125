"""Turns in which no word was recognised: when the caller is owed an answer all the same."""

import pytest

from serve_app.conversation.decisions import NoWords, Words
from serve_app.conversation.endpointing import UNSURE_S
from serve_app.conversation.overlap import FAINT_DB
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import WORDLESS_IS_A_TURN
from tests.conversation.ear import frames_ms, listening, samples_ms, speaking, stopped, thinking

UNSURE, WORDLESS = frames_ms(UNSURE_S), samples_ms(WORDLESS_IS_A_TURN)


@pytest.mark.parametrize(
    ("speech_ms", "owed"), [(300, False), (WORDLESS - 20, False), (WORDLESS, True), (2 * WORDLESS, True)]
)
def test_a_cough_is_passed_over_and_long_speech_without_words_is_not(speech_ms: int, *, owed: bool) -> None:
    ear = listening()
    ear.voice(speech_ms)
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed)]
    assert ear.turns.state is State.LISTENING


@pytest.mark.parametrize(("below_db", "owed"), [(FAINT_DB - 3, True), (FAINT_DB + 3, False)])
def test_long_speech_without_words_is_passed_over_if_it_is_much_weaker_than_the_callers(
    below_db: float, *, owed: bool
) -> None:
    ear = thinking()
    ear.turns.agent_finished()
    ear.level -= below_db
    ear.voice(2 * WORDLESS)
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed)]


def test_weak_speech_with_words_is_a_turn() -> None:
    ear = thinking()
    ear.turns.agent_finished()
    ear.level -= 2 * FAINT_DB
    ear.voice(1000)
    ear.quiet(UNSURE)
    assert stopped(ear.words()) == pytest.approx((ear.ms - UNSURE) / 1000)


def test_a_turn_that_our_fault_left_unheard_is_owed_an_answer() -> None:
    ear = listening()
    ear.voice(200)
    ear.quiet(UNSURE)
    ear.turns.owe()
    assert ear.words(Words.NONE) == [NoWords(owed=True)]


def test_the_answer_that_was_owed_is_owed_once() -> None:
    ear = listening()
    ear.voice(200)
    ear.quiet(UNSURE)
    ear.turns.owe()
    ear.words(Words.NONE)
    ear.voice(200)
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed=False)]


def test_who_is_answered_is_owed_no_more() -> None:
    ear = listening()
    ear.voice(200)
    ear.turns.owe()
    ear.quiet(UNSURE)
    ear.words()
    ear.turns.agent_started()
    ear.turns.agent_finished()
    ear.voice(200)
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed=False)]


def test_nothing_is_owed_for_what_could_not_be_heard_over_the_agent() -> None:
    ear = speaking()
    ear.turns.owe()
    ear.turns.agent_finished()
    ear.voice(200)
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed=False)]
