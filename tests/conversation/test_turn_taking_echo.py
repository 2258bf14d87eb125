"""Our own voice, coming back through the caller's microphone."""

from collections.abc import Callable

import pytest

from serve_app.audio.echo import LIKELY
from serve_app.conversation.decisions import Duck, Interrupt, Recognise, Swell, Yield
from serve_app.conversation.endpointing import UNSURE_S
from serve_app.conversation.manners import Manners
from serve_app.conversation.overlap import JUDGE_FROM, JUDGE_WITHIN, UNJUDGED_FROM
from serve_app.conversation.recognition import LEAD_IN
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import DUCK_AFTER, ECHO_LASTS, OTHERS_AFTER_ECHO
from tests.conversation.ear import (
    INTERRUPTION,
    KEEPS,
    MS,
    Ear,
    frames_ms,
    listening,
    overlap,
    pause,
    samples_ms,
    speaking,
    thinking,
    told,
)

LONG = samples_ms(UNJUDGED_FROM)


@pytest.mark.parametrize("reach", [speaking, thinking, listening])
def test_the_echo_of_our_own_voice_is_nobody(reach: Callable[[], Ear]) -> None:
    ear = reach()
    state = ear.turns.state
    ear.echo = LIKELY
    assert ear.voice(3000) == []
    assert ear.turns.state is state


def test_what_is_hardly_an_echo_is_somebody() -> None:
    ear = speaking()
    ear.echo = LIKELY - 0.1
    ear.voice(LONG)
    assert ear.turns.state is State.CALLER


def test_a_caller_who_has_the_floor_is_no_echo() -> None:
    """A murmur of ours may come back while they speak."""
    ear = pause()
    ear.echo = 1.0
    ear.voice(500)
    assert ear.turns.state is State.CALLER


def test_an_echo_of_which_one_frame_in_five_goes_unrecognised_is_nobody_too() -> None:
    ear = speaking()
    ear.echo = LIKELY
    ear.voice(200)
    for _ in range(20):
        ear.echo = 0.0
        assert ear.voice(40) == []
        ear.echo = LIKELY
        assert ear.voice(160) == []


def test_a_sound_that_turns_out_to_be_our_own_swells_back() -> None:
    ear = overlap()
    ear.echo = LIKELY
    assert ear.voice(500) == [(ear.ms - 480, Swell())]


@pytest.mark.parametrize("reach", [speaking, thinking, listening])
def test_the_caller_who_speaks_right_after_an_echo_is_heard_from_the_first_word(reach: Callable[[], Ear]) -> None:
    ear = reach()
    ear.echo = LIKELY
    ear.voice(500)
    ear.voiced, ear.echo = False, 0.0
    began = ear.ms
    ear.voice(1000)
    ear.quiet(frames_ms(UNSURE_S))
    recognised = [d for ms, d in ear.taken if ms > began and isinstance(d, Recognise)]
    assert recognised[-1].start == began * MS - LEAD_IN


def test_after_an_echo_a_sound_ducks_when_it_has_been_somebody_elses_for_a_while() -> None:
    ear = speaking()
    ear.echo = LIKELY
    ear.voice(500)
    ear.voiced, ear.echo = False, 0.0
    began = ear.ms
    assert told(ear.voice(300), began)[0] == (samples_ms(OTHERS_AFTER_ECHO), Duck)


def test_long_after_an_echo_it_ducks_as_ever() -> None:
    ear = speaking()
    ear.echo = LIKELY
    ear.voice(500)
    ear.echo = 0.0
    ear.quiet(samples_ms(ECHO_LASTS))
    began = ear.ms
    assert told(ear.noise(100), began) == [(samples_ms(DUCK_AFTER), Duck)]


def test_words_that_are_awaited_are_not_forgotten_for_an_echo() -> None:
    ear = speaking()
    ear.voice(240)
    ear.quiet(samples_ms(JUDGE_WITHIN))
    ear.echo = LIKELY
    ear.voice(100)
    assert Interrupt() in ear.words()


def test_nor_is_the_caller_to_whom_the_floor_was_promised() -> None:
    ear = speaking(Manners(overlap="hold_floor", backchannels=False))
    ear.voice(samples_ms(JUDGE_FROM))
    assert Yield() in ear.judged(INTERRUPTION)
    ear.echo = LIKELY
    ear.voice(500)
    ear.turns.agent_finished()
    assert ear.turns.state is State.CALLER


def test_nor_what_is_kept_for_a_turn_after_the_answer() -> None:
    ear = speaking(KEEPS, interruptible=False)
    ear.voice(300)
    ear.echo = LIKELY
    ear.voice(500)
    ear.turns.agent_finished()
    assert ear.turns.state is State.CALLER


def test_a_sound_that_turned_out_to_be_our_own_is_no_turn_after_the_answer() -> None:
    ear = speaking()
    ear.voice(200)
    ear.echo = LIKELY
    ear.voice(200)
    ear.turns.agent_finished()
    assert ear.turns.state is State.LISTENING
