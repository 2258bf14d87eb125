import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat
from serve_app.talk.clip import Clip, read_clip, voiced_seconds


def tone(seconds: float, rate: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return (9000 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


@given(
    audio=st.sampled_from(SUPPORTED_FORMATS),
    rate=st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    seconds=st.floats(0.1, 0.5),
)
def test_messages_are_whole_and_hold_the_clip(audio: AudioFormat, rate: int, seconds: float) -> None:
    samples = tone(seconds, rate)
    messages = Clip(samples, rate, seconds).messages(audio, 0.02)
    assert {len(message) for message in messages} == {audio.bytes_for(0.02)}
    assert -1 / audio.rate < 0.02 * len(messages) - len(samples) / rate < 0.021  # resampling rounds to a sample
    sent = audio.decode(b"".join(messages)).astype(float)
    loud = np.flatnonzero(np.abs(sent) > 900)
    assert loud[-1] / audio.rate == pytest.approx(seconds, abs=0.005)


@given(lead=st.floats(0, 0.3), tail=st.floats(0, 1.0), offset=st.integers(-6000, 6000))
def test_speech_ends_with_its_last_sound(lead: float, tail: float, offset: int) -> None:
    """Whatever the room does after it, and whatever the recording's DC offset."""
    rate = 16000
    room = np.random.default_rng(1).integers(-60, 60, round(tail * rate)).astype(np.int16)
    samples = np.concatenate([np.zeros(round(lead * rate), np.int16), tone(0.2, rate), room]) + np.int16(offset)
    assert voiced_seconds(samples, rate) == pytest.approx(lead + 0.2, abs=0.021)


def test_channels_are_mixed(tmp_path: Path) -> None:
    left = tone(0.1, 8000)
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.column_stack([left, np.zeros_like(left)]).tobytes())
    clip = read_clip(path)
    assert clip.rate == 8000
    assert np.abs(clip.samples - left / 2).max() <= 1
