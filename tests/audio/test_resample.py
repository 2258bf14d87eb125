import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.audio.pcm import SUPPORTED_FORMATS
from serve_app.audio.resample import Resampler

rates = st.sampled_from(sorted({audio.rate for audio in SUPPORTED_FORMATS}))


def tone(frequency: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def resampled(samples: np.ndarray, from_rate: int, to_rate: int, lump: int) -> np.ndarray:
    resampler = Resampler(from_rate, to_rate)
    parts = [resampler.process(samples[i : i + lump]) for i in range(0, len(samples), lump)]
    return np.concatenate([*parts, resampler.flush()])


@settings(deadline=None, max_examples=40)
@given(rates, rates, st.integers(0, 5000), st.integers(20, 3000))
def test_length_is_kept_whatever_the_lumps(from_rate: int, to_rate: int, length: int, lump: int) -> None:
    out = resampled(np.zeros(length, np.int16), from_rate, to_rate, lump)
    assert out.dtype == np.int16
    assert abs(len(out) - length * to_rate / from_rate) <= 2


@settings(deadline=None, max_examples=25)
@given(rates, rates, st.integers(40, 3000))
def test_a_tone_keeps_its_pitch_and_level(from_rate: int, to_rate: int, lump: int) -> None:
    out = resampled(tone(1000, from_rate), from_rate, to_rate, lump).astype(float)
    middle = out[len(out) // 4 : 3 * len(out) // 4]
    pitch = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle))))) * to_rate / len(middle)
    assert pitch == pytest.approx(1000, abs=5)
    assert np.sqrt((middle**2).mean()) == pytest.approx(8000 / np.sqrt(2), rel=0.01)


def test_equal_rates_pass_the_very_samples() -> None:
    samples = tone(440, 16000)
    resampler = Resampler(16000, 16000)
    assert resampler.process(samples) is samples
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("from_rate", [22050, 24000, 44100, 48000])
def test_what_is_above_the_new_band_does_not_fold_back(from_rate: int) -> None:
    out = resampled(tone(9500, from_rate), from_rate, 16000, from_rate // 50).astype(float)
    assert np.sqrt((out[2000:6000] ** 2).mean()) < 2  # of 5657: -69 dB


@pytest.mark.parametrize(("from_rate", "held_back"), [(8000, 0.031), (22050, 0.015), (44100, 0.015), (48000, 0.015)])
def test_it_holds_back_a_short_constant_time(from_rate: int, held_back: float) -> None:
    resampler = Resampler(from_rate, 16000)
    lump, ready, lags = from_rate // 50, 0, []
    for i in range(1, 51):
        ready += len(resampler.process(np.zeros(lump, np.int16)))
        lags.append(i * lump / from_rate - ready / 16000)
    assert max(lags) <= held_back
    assert max(lags[5:]) - min(lags[5:]) < 0.001
