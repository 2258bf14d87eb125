import numpy as np
import pytest

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from tests.faults.line import CUT_OFF, Heard, measured

STOPPED = 100.0


def tone(seconds: float) -> Samples:
    return np.full(round(seconds * RATE), 1000, np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def test_silence_is_what_cannot_be_heard() -> None:
    """Audio that has come and holds none counts as none."""
    heard = [Heard(100.5, np.concatenate([silence(0.2), tone(0.3)]), "One. "), Heard(101.4, tone(0.5), "Two.")]
    text, first_s, silence_s = measured(heard, STOPPED)
    assert text == "One. Two."
    assert first_s == pytest.approx(0.7)
    assert silence_s == pytest.approx(0.7)


def test_a_pause_of_the_agents_may_be_the_longest_silence() -> None:
    heard = [Heard(100.5, np.concatenate([tone(0.3), silence(0.5)]), "One"), Heard(101.5, tone(0.5), "two")]
    _, first_s, silence_s = measured(heard, STOPPED)
    assert first_s == pytest.approx(0.5)
    assert silence_s == pytest.approx(0.7)


def test_nothing_that_can_be_heard_is_no_answer() -> None:
    assert measured([Heard(100.5, silence(1.0), "One")], STOPPED) == ("", float("inf"), float("inf"))


def test_sentences_are_apart_whether_or_not_the_voice_times_the_space_between_them() -> None:
    heard = [Heard(100.5, tone(0.1), "One.Two."), Heard(100.6, tone(0.1), " Three "), Heard(100.7, silence(0), CUT_OFF)]
    assert measured(heard, STOPPED)[0] == "One. Two. Three …"
