"""What becomes of the agent's words when the caller speaks over them, as its file has it; and at their end."""

import pytest

from serve_app.conversation.decisions import (
    Duck,
    Ignore,
    Interrupt,
    Judged,
    NoWords,
    Recognise,
    Swell,
    TakeTurn,
    Words,
    Yield,
)
from serve_app.conversation.endpointing import UNSURE_S
from serve_app.conversation.manners import Manners
from serve_app.conversation.overlap import FAINT_DB, JUDGE_FROM, JUDGE_WITHIN, UNJUDGED_FROM, VOICED_FROM
from serve_app.conversation.recognition import LEAD_IN
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import FORGOTTEN_AFTER
from tests.conversation.ear import INTERRUPTION, KEEPS, MS, Ear, frames_ms, overlap, samples_ms, speaking, told

AT_ONCE = Manners(overlap="yield_immediately", backchannels=False)
HOLDS = Manners(overlap="hold_floor", backchannels=False)
WITHIN, LONG, FIRST = samples_ms(JUDGE_WITHIN), samples_ms(UNJUDGED_FROM), samples_ms(JUDGE_FROM)
VOICED, UNSURE = samples_ms(VOICED_FROM), frames_ms(UNSURE_S)


def since(ear: Ear, began: int) -> list[type]:
    return [decision for _, decision in told(ear.taken, began)]


# ---- at once


def test_who_yields_immediately_does_so_after_120_ms_of_speech() -> None:
    ear = speaking(AT_ONCE)
    began = ear.ms
    ear.voice(LONG)
    assert told(ear.taken, began)[:2] == [(20, Duck), (VOICED, Interrupt)]


def test_who_yields_immediately_does_not_to_noise() -> None:
    ear = speaking(AT_ONCE)
    began = ear.ms
    ear.noise(3000)
    assert since(ear, began) == [Duck, Swell]


# ---- the clause first


def test_who_holds_the_floor_finishes_the_clause_and_hears_the_caller_then() -> None:
    ear = speaking(HOLDS)
    began = ear.ms
    ear.voice(FIRST)
    assert ear.judged(INTERRUPTION) == [Judged("overlap", "undecided", "interruption"), Swell(), Yield()]
    assert ear.judged(INTERRUPTION) == []
    assert ear.voice(2000) == [], "it yields once"
    assert ear.turns.state is State.AGENT
    ear.turns.agent_finished()
    assert ear.turns.state is State.CALLER
    ear.quiet(UNSURE)
    assert [d.start for ms, d in ear.taken if ms > began and isinstance(d, Recognise)] == [began * MS - LEAD_IN]
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_who_holds_the_floor_swells_back_before_the_rest_of_the_clause() -> None:
    ear = speaking(HOLDS)
    began = ear.ms
    ear.voice(LONG)
    assert [decision for decision in since(ear, began) if decision is not Recognise] == [Duck, Swell, Yield]


def test_who_holds_the_floor_yields_to_a_word() -> None:
    ear = speaking(HOLDS)
    began = ear.ms
    ear.voice(240)
    ear.quiet(WITHIN)
    assert ear.words() == [Yield()]
    ear.quiet(3000)  # the rest of the clause
    ear.turns.agent_finished()
    assert ear.turns.state is State.CALLER
    ear.quiet(20)
    ear.quiet(20)
    [_, again] = [d.start for ms, d in ear.taken if ms > began and isinstance(d, Recognise)]
    assert again == began * MS - LEAD_IN


def test_who_holds_the_floor_owes_an_answer_even_to_a_sound() -> None:
    ear = speaking(HOLDS)
    ear.voice(LONG)
    ear.turns.agent_finished()
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed=True)]


def test_the_floor_is_held_for_one_answer() -> None:
    ear = speaking(HOLDS)
    ear.voice(LONG)
    ear.turns.agent_finished()
    ear.quiet(UNSURE)
    ear.words()
    ear.turns.agent_started()
    ear.quiet(500)
    began = ear.ms
    ear.voice(LONG)
    assert since(ear, began)[-1] is Yield, "of the next it must be asked for again"


def test_what_was_yielded_is_over_with_the_answer() -> None:
    ear = speaking(HOLDS)
    ear.voice(LONG)
    ear.turns.typed()
    ear.turns.agent_started()
    began = ear.ms
    ear.quiet(20)
    ear.noise(60)
    assert since(ear, began) == [Duck]


# ---- not at all


def test_an_agent_that_may_not_be_interrupted_is_not() -> None:
    ear = speaking(interruptible=False)
    assert ear.voice(2000) == []
    assert ear.turns.state is State.AGENT
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING
    ear.voice(1000)
    ear.quiet(UNSURE)
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_what_was_said_over_it_may_be_a_turn_after_it() -> None:
    ear = speaking(KEEPS, interruptible=False)
    began = ear.ms
    assert ear.voice(2000) == []
    assert ear.quiet(4000) == []
    ear.turns.agent_finished()
    assert ear.turns.state is State.CALLER
    [decision] = [d for _, d in ear.quiet(60) if isinstance(d, Recognise)]
    assert decision.start == began * MS - LEAD_IN


def test_a_click_over_it_is_no_turn() -> None:
    ear = speaking(KEEPS, interruptible=False)
    ear.voice(VOICED - 20)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING


def test_an_overlap_that_may_not_interrupt_any_more_swells_back() -> None:
    """The agent has begun something that must not be interrupted."""
    ear = overlap()
    ear.turns.interruptible = False
    assert [d for _, d in ear.voice(2000)] == [Swell()]
    assert ear.turns.state is State.AGENT


def test_nor_do_the_judge_or_words_interrupt_it_then() -> None:
    ear = speaking()
    ear.voice(FIRST)
    ear.turns.interruptible = False
    assert ear.judged(INTERRUPTION) == []
    ear = speaking()
    ear.voice(240)
    ear.quiet(WITHIN)
    ear.turns.interruptible = False
    assert ear.words() == []
    assert ear.turns.state is State.AGENT


def test_what_was_said_before_words_that_may_not_be_interrupted_is_no_turn_after_them() -> None:
    ear = speaking()
    ear.voice(240)
    ear.turns.interruptible = False
    ear.quiet(5000)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING


def test_a_murmur_is_no_turn_after_words_that_may_not_be_interrupted() -> None:
    ear = speaking()
    ear.voice(240)
    ear.quiet(WITHIN)
    assert ear.words(Words.BACKCHANNEL) == [Ignore()]
    ear.turns.interruptible = False
    ear.quiet(5000)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING


# ---- at the end of the answer


def test_an_answer_that_ends_while_the_caller_speaks_leaves_the_floor_to_the_caller() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(100)
    ear.turns.agent_finished()
    assert ear.turns.state is State.CALLER
    ear.voice(300)
    ear.quiet(UNSURE)
    assert [d.start for ms, d in ear.taken if ms > began and isinstance(d, Recognise)] == [began * MS - LEAD_IN]
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_what_was_recognised_before_an_answer_does_not_count_after_it() -> None:
    ear = speaking()
    ear.voice(100)
    ear.turns.agent_finished()
    assert [type(d) for d in ear.tick(ear.now + 10)] == [Recognise]
    assert ear.turns.state is State.HEARD


def test_a_word_whose_recognition_runs_when_the_answer_ends_is_a_turn() -> None:
    ear = speaking()
    ear.voice(240)
    ear.quiet(WITHIN)
    running = ear.asked(Recognise)
    ear.turns.agent_finished()
    assert ear.turns.recognised(running, Words.SPEECH, ear.now) == [], "it may not be all"
    ear.quiet(UNSURE)
    assert ear.asked(Recognise) > running
    assert [type(d) for d in ear.words()] == [TakeTurn]


def test_a_murmur_that_was_ignored_is_no_turn_after_the_answer() -> None:
    ear = speaking()
    ear.voice(240)
    ear.quiet(WITHIN)
    ear.words(Words.BACKCHANNEL)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING


@pytest.mark.parametrize("quiet_ms", [0, 100, samples_ms(FORGOTTEN_AFTER)])
def test_noise_up_to_the_end_of_the_answer_is_no_turn(quiet_ms: int) -> None:
    ear = speaking()
    ear.noise(500)
    ear.quiet(quiet_ms)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING


def test_what_sounded_over_an_answer_that_was_dropped_is_no_turn_after_the_next() -> None:
    ear = speaking()
    ear.voice(100)
    ear.turns.typed()
    ear.turns.agent_started()
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING


def test_a_television_over_the_end_of_an_answer_is_owed_none() -> None:
    ear = speaking()
    ear.level -= FAINT_DB + 5
    ear.voice(2000)
    ear.turns.agent_finished()
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed=False)]


def test_an_old_sound_is_no_turn_after_the_answer() -> None:
    ear = speaking()
    ear.voice(100)
    ear.quiet(samples_ms(FORGOTTEN_AFTER) + 20)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING
