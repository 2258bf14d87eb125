"""Sound over the agent: it is lowered, the sound is judged, and then it stops or swells back."""

import pytest

from serve_app.audio.framing import FRAME_SAMPLES
from serve_app.conversation.decisions import (
    Duck,
    Interrupt,
    Judge,
    Judged,
    NoWords,
    Recognise,
    Swell,
    Words,
)
from serve_app.conversation.endpointing import UNSURE_S
from serve_app.conversation.overlap import (
    FAINT_DB,
    JUDGE_EVERY,
    JUDGE_FROM,
    JUDGE_UNTIL,
    JUDGE_WITHIN,
    QUIET_AGAIN,
    SURELY_FROM,
    UNJUDGED_FROM,
    VOICED_FROM,
)
from serve_app.conversation.recognition import LEAD_IN
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import DUCK_AFTER, FORGOTTEN_AFTER
from tests.conversation.ear import (
    BACKCHANNEL,
    INTERRUPTION,
    MS,
    frames_ms,
    pause,
    samples_ms,
    speaking,
    told,
)

DUCKED, WITHIN, AGAIN = samples_ms(DUCK_AFTER), samples_ms(JUDGE_WITHIN), samples_ms(QUIET_AGAIN)
UNJUDGED, SURELY, VOICED = samples_ms(UNJUDGED_FROM), samples_ms(SURELY_FROM), samples_ms(VOICED_FROM)
FIRST, EVERY = samples_ms(JUDGE_FROM), samples_ms(JUDGE_EVERY)
UNSURE = frames_ms(UNSURE_S)


# ---- down, and up again


def test_noise_ducks_after_60_ms_and_swells_back_when_it_is_over() -> None:
    ear = speaking()
    began = ear.ms
    ear.noise(80)
    ear.quiet(400)
    assert told(ear.taken, began) == [(DUCKED, Duck), (80 + AGAIN, Swell)]


def test_two_frames_of_noise_do_nothing() -> None:
    ear = speaking()
    for _ in range(10):
        assert ear.noise(DUCKED - 20) == []
        assert ear.quiet(20) == []


def test_constant_noise_ducks_once() -> None:
    ear = speaking()
    began = ear.ms
    assert told(ear.noise(10_000), began) == [(DUCKED, Duck), (WITHIN, Swell)]


def test_after_quiet_new_noise_is_a_new_matter() -> None:
    ear = speaking()
    for _ in range(5):
        began = ear.ms
        ear.noise(WITHIN)
        ear.quiet(AGAIN + 40)
        assert told(ear.taken, began) == [(DUCKED, Duck), (WITHIN, Swell)]


def test_constant_noise_with_short_gaps_ducks_once() -> None:
    ear = speaking()
    for _ in range(50):
        ear.noise(300)
        ear.quiet(AGAIN - 140)
    assert [type(d) for _, d in ear.taken].count(Duck) == 1


def test_noise_that_goes_on_through_answers_ducks_each_once() -> None:
    ear = speaking()
    ear.noise(2000)
    for _ in range(3):
        ear.turns.typed()
        ear.turns.agent_started()
        began = ear.ms
        ear.noise(2000)
        assert told(ear.taken, began) == [(DUCKED, Duck), (WITHIN, Swell)]


@pytest.mark.parametrize("late", [0, 40, 100, 280])
def test_speech_ducks_within_80_ms_of_its_onset_however_late_it_is_confirmed(late: int) -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(300, late=late)
    ducked, decision = told(ear.taken, began)[0]
    assert decision is Duck
    assert ducked <= 80


def test_a_short_sound_swells_back_and_nothing_is_lost() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(VOICED - 20)
    ear.quiet(3000)
    assert told(ear.taken, began) == [(20, Duck), (VOICED - 20 + AGAIN, Swell)]
    assert ear.turns.state is State.AGENT


def test_an_overlap_is_decided_within_350_ms() -> None:
    ear = speaking()
    began = ear.ms
    ear.frames(600, lambda i: (True, i % 80 < 40 and 100 <= i < 200, None))
    ends = [ms - began for ms, d in ear.taken if ms > began and isinstance(d, Swell | Interrupt)]
    assert ends[0] * MS <= JUDGE_WITHIN + FRAME_SAMPLES


# ---- speech that goes on


def test_speech_that_goes_on_interrupts_though_the_agent_has_swelled_back() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(600)
    decided = [(ms, decision) for ms, decision in told(ear.taken, began) if decision is not Recognise]
    assert decided == [(20, Duck), (WITHIN, Swell), (UNJUDGED, Duck), (UNJUDGED, Interrupt)]
    assert ear.turns.state is State.CALLER


def test_speech_counts_from_its_onset_even_if_it_is_confirmed_late() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(600, late=280)
    assert told(ear.taken, began)[-1] == (UNJUDGED, Interrupt)


def test_speech_through_constant_noise_interrupts() -> None:
    ear = speaking()
    ear.noise(2000)
    began = ear.ms
    ear.voice(UNJUDGED)
    assert told(ear.taken, began)[-1] == (UNJUDGED, Interrupt)


def test_what_interrupts_is_part_of_the_next_turn() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(800)
    ear.quiet(60)
    assert [d.start for _, d in ear.taken if isinstance(d, Recognise)][-1] == began * MS - LEAD_IN


def test_an_interruption_without_words_is_owed_an_answer() -> None:
    ear = speaking()
    ear.voice(UNJUDGED)
    ear.quiet(UNSURE)
    assert ear.words(Words.NONE) == [NoWords(owed=True)]


def test_two_murmurs_are_no_speech_that_goes_on() -> None:
    ear = speaking()
    for _ in range(3):
        began = ear.ms
        ear.voice(200)
        ear.quiet(300)
        ear.words(Words.BACKCHANNEL)
        ear.quiet(100)
        assert Interrupt not in [decision for _, decision in told(ear.taken, began)]
    assert ear.turns.state is State.AGENT


def test_a_click_after_a_murmur_is_no_interruption() -> None:
    ear = speaking()
    ear.voice(200)
    ear.quiet(6000)  # and nobody ever says what was in it
    ear.voice(20)
    ear.quiet(WITHIN)
    assert Interrupt not in [type(decision) for _, decision in ear.taken]


# ---- the judge


def test_the_judge_is_asked_again_and_again_for_half_a_second() -> None:
    ear = speaking()
    ear.level -= 2 * FAINT_DB
    began = ear.ms
    ear.voice(3000, late=100)
    asked = [(ms - began, d) for ms, d in ear.taken if ms > began and isinstance(d, Judge)]
    ids = [d.id for _, d in asked]
    assert asked == [
        (at, Judge(i, began * MS, (began + at) * MS, overlap=True))
        for i, at in zip(ids, range(FIRST, samples_ms(JUDGE_UNTIL), EVERY), strict=True)
    ]
    assert len(set(ids)) == len(ids)


def test_the_judge_interrupts() -> None:
    ear = speaking()
    ear.voice(FIRST)
    assert ear.judged(INTERRUPTION) == [Judged("overlap", "undecided", "interruption"), Interrupt()]
    assert ear.turns.state is State.CALLER


def test_the_judge_interrupts_from_120_ms_of_speech() -> None:
    ear = speaking()
    ear.noise(FIRST - 20)
    ear.voice(20)
    assert ear.judged(INTERRUPTION) == []
    assert [type(d) for _, d in ear.voice(VOICED - 40)] == [Judge]
    began = ear.ms
    assert told(ear.voice(20), began) == [(20, Interrupt)]


def test_a_murmur_swells_back_by_350_ms_and_the_judge_has_changed_nothing() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(FIRST)
    assert ear.judged(BACKCHANNEL) == []
    ear.voice(100)
    ear.quiet(100)
    assert told(ear.taken, began) == [(20, Duck), (WITHIN, Swell)]
    assert [d for _, d in ear.taken if isinstance(d, Judged)][-1] == Judged("overlap", "false_alarm", "false_alarm")


def test_the_judge_may_change_its_mind() -> None:
    ear = speaking()
    ear.voice(FIRST)
    ear.judged(BACKCHANNEL)
    ear.voice(EVERY)
    assert Interrupt() in ear.judged(INTERRUPTION)


def test_what_the_judge_says_after_the_swell_still_interrupts() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(WITHIN + EVERY)
    assert ear.turns.state is State.AGENT
    assert ear.judged(INTERRUPTION) == [Judged("overlap", "false_alarm", "interruption"), Duck(), Interrupt()]
    assert ear.turns.state is State.CALLER
    assert ear.ms - began < UNJUDGED


def test_what_the_judge_calls_a_murmur_is_one_for_longer() -> None:
    ear = speaking()
    began = ear.ms
    ear.voice(FIRST)
    ear.judged(BACKCHANNEL)
    ear.voice(2 * SURELY)
    assert [(ms, d) for ms, d in told(ear.taken, began) if d is Interrupt] == [(SURELY, Interrupt)]


def test_an_answer_counts_though_it_was_asked_again_since() -> None:
    ear = speaking()
    ear.voice(FIRST)
    first = ear.asked(Judge)
    ear.voice(EVERY)
    assert ear.asked(Judge) > first
    assert Interrupt() in ear.turns.judged(first, INTERRUPTION)


def test_an_answer_about_a_sound_without_words_is_void() -> None:
    ear = speaking()
    ear.voice(FIRST)
    ear.quiet(WITHIN)
    ear.words(Words.NONE)
    assert ear.turns.state is State.AGENT
    assert ear.judged(INTERRUPTION) == []
    assert ear.turns.state is State.AGENT


def test_an_answer_about_the_overlap_before_is_void() -> None:
    ear = speaking()
    ear.voice(FIRST)
    asked = ear.asked(Judge)
    ear.quiet(2 * samples_ms(FORGOTTEN_AFTER))
    ear.voice(VOICED)
    assert ear.turns.state is State.OVERLAP
    assert ear.turns.judged(asked, INTERRUPTION) == []


def test_an_answer_about_a_pause_says_nothing_of_an_overlap() -> None:
    ear = pause()
    ear.quiet(100)
    asked = ear.asked(Judge)
    ear.words()
    ear.quiet(300)
    ear.turns.agent_started()
    ear.voice(VOICED)
    assert ear.turns.state is State.OVERLAP
    assert ear.turns.judged(asked, INTERRUPTION) == []


def test_a_lump_that_holds_the_whole_overlap_leaves_the_judge_its_time() -> None:
    ear = speaking()
    ear.lump_ms = 10_000
    ear.voice(samples_ms(JUDGE_WITHIN) + 40)
    assert ear.turns.state is State.OVERLAP
    assert Interrupt() in ear.judged(INTERRUPTION)


def test_if_it_does_not_answer_the_next_lump_decides() -> None:
    ear = speaking()
    ear.lump_ms = 500
    ear.voice(samples_ms(JUDGE_WITHIN))
    ear.quiet(500)
    assert ear.turns.state is State.AGENT
