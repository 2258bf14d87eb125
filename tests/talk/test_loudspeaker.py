import wave
from pathlib import Path

import numpy as np
import pytest

from serve_app.talk import TalkError
from serve_app.talk.loudspeaker import Loudspeaker

RATE = 8000


def sound(seconds: float, value: int = 5000) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.full(round(seconds * RATE), value, np.int16)


def test_audio_that_comes_ahead_waits_its_turn() -> None:
    loudspeaker = Loudspeaker(RATE)
    loudspeaker.play(sound(0.5), now=1.0)
    loudspeaker.play(sound(0.5), now=1.1)
    assert loudspeaker.end == 2.0
    loudspeaker.play(sound(0.5), now=3.0)
    assert loudspeaker.end == 3.5


def test_first_sound_is_when_it_is_played_and_audible() -> None:
    loudspeaker = Loudspeaker(RATE)
    loudspeaker.play(sound(0.5, value=100), now=1.0)  # comfort noise
    assert loudspeaker.first_sound(since=0.0) is None
    loudspeaker.play(sound(0.5), now=1.1)
    assert loudspeaker.first_sound(since=0.0) == 1.5
    assert loudspeaker.first_sound(since=1.7) == 1.7
    assert loudspeaker.first_sound(since=2.5) is None


def test_cut_forgets_only_what_was_not_played() -> None:
    loudspeaker = Loudspeaker(RATE)
    loudspeaker.play(sound(1.0), now=0.0)
    loudspeaker.cut(now=0.25)
    assert loudspeaker.end == 0.25
    loudspeaker.cut(now=5.0)
    assert loudspeaker.end == 0.25


def test_recording_has_the_silences(tmp_path: Path) -> None:
    loudspeaker = Loudspeaker(RATE)
    loudspeaker.play(sound(0.1), now=0.1)
    loudspeaker.save(tmp_path / "answer.wav")
    with wave.open(str(tmp_path / "answer.wav"), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert samples.tolist() == [0] * 800 + [5000] * 800


def test_recording_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(TalkError, match="No such file or directory"):
        Loudspeaker(RATE).save(tmp_path / "absent" / "answer.wav")
