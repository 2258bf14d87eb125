"""What was said over the agent, once it has swelled back: words may still interrupt. And whose voice it was."""

import pytest

from serve_app.conversation.decisions import (
    Discard,
    Duck,
    Ignore,
    Interrupt,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
    Words,
)
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import SILENCE_S, UNSURE_S
from serve_app.conversation.overlap import AUDIBLE_DB, FAINT_DB, JUDGE_FROM, JUDGE_WITHIN, UNJUDGED_FROM, WORDS_FROM
from serve_app.conversation.recognition import LEAD_IN
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import FORGOTTEN_AFTER
from tests.conversation.ear import (
    BACKCHANNEL,
    FLOOR_DB,
    INTERRUPTION,
    MS,
    Ear,
    frames_ms,
    listening,
    samples_ms,
    speaking,
    told,
)

WITHIN, LONG, FIRST = samples_ms(JUDGE_WITHIN), samples_ms(UNJUDGED_FROM), samples_ms(JUDGE_FROM)
SILENCE = frames_ms(SILENCE_S)


# ---- words


def word(ear: Ear, ms: int = 240) -> int:
    """Something short is said over the agent, and the recogniser asked about it. Returns when it began."""
    began = ear.ms
    ear.voice(ms)
    ear.quiet(WITHIN - ms + 40)
    return began


def test_a_word_after_the_swell_interrupts_and_is_the_turn() -> None:
    ear = speaking()
    began = word(ear)
    assert ear.words() == [Duck(), Interrupt(), Prepare()]
    assert ear.turns.state is State.PAUSE
    [decision] = [d for _, d in ear.quiet(SILENCE) if isinstance(d, TakeTurn)]
    assert decision.caller_stopped == pytest.approx((began + 240) / 1000)
    recognised = [d for ms, d in ear.taken if ms > began and isinstance(d, Recognise)]
    assert [d.start for d in recognised] == [began * MS - LEAD_IN], "once: these are all the words there are"


def test_a_word_after_which_more_must_come_gets_its_pause() -> None:
    ear = speaking()
    word(ear)
    ear.words(ending=Ending.UNFINISHED)
    began = ear.ms
    ear.quiet(100)
    ear.voice(300)
    ear.quiet(60)
    ear.words()
    ear.quiet(300)
    assert [decision for _, decision in told(ear.taken, began)] == [Discard, Recognise, Prepare, TakeTurn]


def test_a_murmur_is_ignored() -> None:
    ear = speaking()
    word(ear)
    assert ear.words(Words.BACKCHANNEL) == [Ignore()]
    assert ear.turns.state is State.AGENT


def test_a_sound_without_words_is_nothing() -> None:
    ear = speaking()
    word(ear)
    assert ear.words(Words.NONE) == []
    assert ear.turns.state is State.AGENT


def test_a_sound_is_recognised_once() -> None:
    ear = speaking()
    began = word(ear)
    ear.words(Words.BACKCHANNEL)
    ear.quiet(2000)
    assert [type(d) for ms, d in ear.taken if ms > began].count(Recognise) == 1


def test_nor_again_while_its_words_are_awaited() -> None:
    ear = speaking()
    began = word(ear)
    ear.quiet(2000)
    assert [type(d) for ms, d in ear.taken if ms > began].count(Recognise) == 1


def test_noise_that_goes_on_after_a_murmur_is_no_new_matter() -> None:
    ear = speaking()
    ear.voice(240)
    ear.noise(WITHIN)
    assert ear.words(Words.BACKCHANNEL) == [Ignore()]
    assert ear.noise(2000) == []


def test_words_that_come_amid_the_next_sound_begin_the_turn() -> None:
    ear = speaking()
    began = word(ear)
    ear.quiet(300)
    ear.voice(100)
    assert ear.turns.state is State.OVERLAP
    assert ear.words() == [Interrupt()]
    ear.quiet(60)
    ear.quiet(frames_ms(UNSURE_S))
    assert [d.start for _, d in ear.taken if isinstance(d, Recognise)][-1] == began * MS - LEAD_IN


def test_the_murmur_before_takes_nothing_from_the_judge_of_the_next_sound() -> None:
    ear = speaking()
    word(ear)
    ear.quiet(300)
    ear.voice(FIRST)
    assert ear.words(Words.BACKCHANNEL) == []
    assert Interrupt() in ear.judged(INTERRUPTION)


def test_a_word_interrupts_even_if_the_recogniser_is_slow() -> None:
    ear = speaking()
    word(ear)
    ear.quiet(2 * samples_ms(FORGOTTEN_AFTER))
    assert ear.words() == [Duck(), Interrupt(), Prepare()]


def test_what_was_ignored_is_no_part_of_the_next_turn() -> None:
    ear = speaking()
    word(ear)
    ear.words(Words.BACKCHANNEL)
    ear.quiet(samples_ms(FORGOTTEN_AFTER))
    began = ear.ms
    ear.voice(LONG)
    ear.quiet(60)
    assert [d.start for _, d in ear.taken if isinstance(d, Recognise)][-1] == began * MS - LEAD_IN


def test_words_that_come_when_the_caller_has_begun_again_are_void() -> None:
    ear = speaking()
    word(ear)
    ear.quiet(samples_ms(FORGOTTEN_AFTER) // 2)
    ear.voice(100)
    decisions = ear.words(Words.BACKCHANNEL)
    assert ear.turns.agent_speaks
    assert Interrupt() not in decisions


# ---- words, while there are more to come


def goes_on() -> Ear:
    """What the judge has called a murmur is as long as some words by now."""
    ear = speaking()
    ear.voice(FIRST)
    ear.judged(BACKCHANNEL)
    ear.voice(samples_ms(WORDS_FROM) - FIRST)
    return ear


def test_speech_that_goes_on_is_recognised_after_600_ms() -> None:
    ear = goes_on()
    [(ms, _)] = [(ms, decision) for ms, decision in ear.taken if isinstance(decision, Recognise)][-1:]
    assert ms == ear.ms


def test_words_interrupt_though_more_come() -> None:
    ear = goes_on()
    ear.voice(200)
    assert ear.words() == [Duck(), Interrupt()]
    assert ear.turns.state is State.CALLER


@pytest.mark.parametrize("words", [Words.BACKCHANNEL, Words.NONE])
def test_how_it_begins_proves_nothing(words: Words) -> None:
    """ "Sim, mas..." """
    ear = goes_on()
    ear.voice(200)
    assert ear.words(words) == []
    began = ear.ms
    ear.voice(200)
    ear.quiet(WITHIN)
    assert [decision for _, decision in told(ear.taken, began)] == [Recognise], "all of it"
    assert ear.words() == [Duck(), Interrupt(), Prepare()]


# ---- other voices


def test_a_faint_voice_does_not_interrupt() -> None:
    """A television, or somebody else in the room."""
    ear = speaking()
    ear.level -= FAINT_DB + 5
    began = ear.ms
    ear.voice(FIRST)
    ear.judged(INTERRUPTION)
    ear.voice(5000)
    decisions = [decision for _, decision in told(ear.taken, began)]
    assert decisions[:2] == [Duck, Swell]
    assert set(decisions[2:]) == {Recognise}
    assert ear.turns.state is State.AGENT


def test_a_faint_voice_interrupts_with_words() -> None:
    ear = speaking()
    ear.level -= FAINT_DB + 5
    ear.voice(2000)
    assert ear.words() == [Duck(), Interrupt()]
    assert ear.turns.state is State.CALLER


def test_before_the_caller_is_known_a_voice_must_stand_out_of_the_noise() -> None:
    def over_the_greeting(over_floor_db: float) -> Ear:
        ear = listening()
        ear.turns.answering()
        ear.turns.agent_started()
        ear.level = FLOOR_DB + over_floor_db
        ear.voice(2 * LONG)
        return ear

    assert over_the_greeting(AUDIBLE_DB - 2).turns.state is State.AGENT
    assert over_the_greeting(AUDIBLE_DB + 2).turns.state is State.CALLER
