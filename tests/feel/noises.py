"""Sounds that are not speech, each made from its seed: 16 kHz, float, RMS 1 where they sound."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from serve_app.audio.framing import RATE
from tests.espeak import render

Wave = NDArray[np.float64]
Random = np.random.Generator

TALKERS = ("en-us+m2", "en-us+f3", "pt-br+m4", "pt-br+f1", "en-us+m6", "pt-br+m8", "en+f5", "pt-br+Andrea")
CHATTER = {
    "en": "so the meeting went on for hours and nobody knew what they were supposed to decide in the end",
    "pt": "aí a reunião demorou demais e ninguém sabia direito o que era para decidir naquele dia",
}
DTMF_HZ = ((697, 770, 852, 941), (1209, 1336, 1477))
"""ITU-T Q.23: rows and columns of the keypad."""
MAINS_HZ = 60


def noise(name: str, seconds: float, seed: int) -> Wave:
    """The noise of that name. Raises KeyError if there is none."""
    random = np.random.default_rng(seed)
    wave = _NOISES[name](round(seconds * RATE), random)
    return wave / _rms(wave)


def room(random: Random, decay_s: float = 0.12) -> Wave:
    """The impulse response of a small room, of energy 1: the direct sound, then an exponential decay (60 dB in
    three times `decay_s`, roughly)."""
    taps = round(2 * decay_s * RATE)
    response = random.standard_normal(taps) * np.exp(-np.arange(taps) / (decay_s / 2.3 * RATE))
    response[: round(0.002 * RATE)] = 0.0
    response *= 0.7 / np.linalg.norm(response)
    response[0] = 0.7
    return response / np.linalg.norm(response)


def hummed(random: Random, seconds: float = 0.45) -> Wave:
    """Two notes through a closed mouth: a glottal buzz of falling harmonics below 1 kHz, with a dip between them."""
    samples = round(seconds * random.uniform(0.8, 1.3) * RATE)
    share = np.linspace(0, 1, samples, endpoint=False)
    pitch = random.uniform(95, 220) * (1 + random.uniform(-0.12, 0.22) * share + 0.01 * np.sin(2 * np.pi * 5 * share))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = sum((np.sin(k * phase) / k**2 for k in range(1, 9)), np.zeros(samples))
    loudness = np.sin(np.pi * share) ** 0.4 * (1 - 0.9 * np.exp(-(((share - 0.45) / 0.08) ** 2)))
    breath = _coloured(samples, random, -1.0) * 0.02
    wave = (wave + breath) * loudness
    return wave / _rms(wave)


def _cough(samples: int, random: Random) -> Wave:
    """Bursts of broad noise with a sharp attack, each with a lower, longer tail."""
    wave = np.zeros(samples)
    for start in np.sort(random.uniform(0, 0.6, max(1, round(samples / RATE / 0.3)))) * samples:
        length = min(samples - int(start), round(random.uniform(0.12, 0.25) * RATE))
        decay = np.exp(-np.arange(length) / (0.05 * RATE))
        burst = _band(random.standard_normal(length), 300, 3_500) * decay
        wave[int(start) : int(start) + length] += burst + 0.3 * _coloured(length, random, -1.0) * decay**0.5
    return wave


def _laughter(samples: int, random: Random) -> Wave:
    """Voiced and breathy pulses, about five in a second, each lower than the one before."""
    at = np.arange(samples) / RATE
    pulse = (at * random.uniform(4.2, 5.5)) % 1.0
    pitch = random.uniform(180, 320) * (1 - 0.1 * at / max(at[-1], 0.1))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voiced = sum((np.sin(k * phase) / k for k in range(1, 14)), np.zeros(samples))
    wave = _band(voiced, 500, 2_800) + 0.7 * _band(random.standard_normal(samples), 700, 4_000)
    return wave * np.where(pulse < 0.55, np.sin(np.pi * pulse / 0.55), 0.02)


def _hum(samples: int, random: Random) -> Wave:
    at = np.arange(samples) / RATE
    harmonics = ((1, 1.0), (2, 0.5), (3, 0.35), (5, 0.2), (7, 0.1))
    return sum(
        (a * np.sin(2 * np.pi * MAINS_HZ * k * at + random.uniform(0, 6)) for k, a in harmonics), np.zeros(samples)
    )


def _dtmf(samples: int, random: Random) -> Wave:
    at = np.arange(samples) / RATE
    wave = np.zeros(samples)
    for key in range(int(at[-1] / 0.2) + 1):
        low, high = random.choice(DTMF_HZ[0]), random.choice(DTMF_HZ[1])
        on = (at >= key * 0.2) & (at < key * 0.2 + 0.12)
        wave += on * (np.sin(2 * np.pi * low * at) + np.sin(2 * np.pi * high * at))
    return wave


def _babble(samples: int, random: Random) -> Wave:
    """Six to eight talkers at once, each somewhere in what they say."""
    wave = np.zeros(samples)
    for name in random.permutation(TALKERS)[: random.integers(6, len(TALKERS) + 1)]:
        language = name[:2]
        speech = render(CHATTER[language], language, int(random.integers(145, 195)), str(name)).astype(float)
        said = np.resize(np.roll(speech, int(random.integers(len(speech)))), samples)
        wave += said / _rms(said) * random.uniform(0.6, 1.0)
    return wave


def _white(samples: int, random: Random) -> Wave:
    return random.standard_normal(samples)


def _pink(samples: int, random: Random) -> Wave:
    return _coloured(samples, random, -0.5)


def _clicks(samples: int, random: Random) -> Wave:
    wave = np.zeros(samples)
    for start in random.integers(0, samples, max(3, round(12 * samples / RATE))):
        length = min(samples - start, round(0.006 * RATE))
        wave[start : start + length] += random.standard_normal(length) * np.exp(-np.arange(length) / (0.001 * RATE))
    return wave


def _slam(samples: int, random: Random) -> Wave:
    """A door: a low thud with a crack on it, and the room."""
    at = np.arange(samples) / RATE
    thud = np.sin(2 * np.pi * random.uniform(60, 110) * at) * np.exp(-at / 0.08)
    crack = _band(random.standard_normal(samples), 200, 2_500) * np.exp(-at / 0.03)
    return np.convolve(thud + crack, room(random))[:samples]


def _breath(samples: int, random: Random) -> Wave:
    return _band(_coloured(samples, random, -0.5), 150, 2_500) * np.sin(np.pi * np.linspace(0, 1, samples)) ** 0.7


_NOISES: dict[str, Callable[[int, Random], Wave]] = {
    "cough": _cough,
    "laughter": _laughter,
    "hum": _hum,
    "dtmf": _dtmf,
    "babble": _babble,
    "white": _white,
    "pink": _pink,
    "clicks": _clicks,
    "slam": _slam,
    "breath": _breath,
}
NAMES = tuple(_NOISES)


def _band(wave: Wave, low_hz: float, high_hz: float) -> Wave:
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    return np.fft.irfft(spectrum * ((hz >= low_hz) & (hz <= high_hz)), len(wave))


def _coloured(samples: int, random: Random, slope: float) -> Wave:
    """Gaussian noise whose amplitude goes with frequency to the power of `slope`; nothing below 30 Hz."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / RATE)
    shape = np.where(hz < 30, 0.0, np.maximum(hz, 30.0) ** slope)
    wave = np.fft.irfft(spectrum * shape, samples)
    return wave / _rms(wave)


def _rms(wave: Wave) -> float:
    """Of what sounds: silence within is left out."""
    loud = wave[np.abs(wave) > 0.01 * np.abs(wave).max()]
    return float(np.sqrt(np.mean(np.square(loud))))
