"""Clips: what a score's sounds come to in samples, exact at both ends, with the sample at which each word ends."""

import re
from functools import cache
from typing import NamedTuple

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import FULL_SCALE
from tests.audio.human_speech import HUMAN_CLIPS, human_clip
from tests.espeak import render
from tests.feel.noises import Wave, hummed, noise
from tests.feel.score import HUMMED, UNWRITTEN_MARK, Cut, Noise, Sound, Speech

SPEECH_DB = -21.0
"""RMS of every caller's speech, in dB of full scale, before the line's gain."""
AUDIBLE_DB = -36.0
"""Against the loudest 5 ms of a synthetic clip: where it begins and ends."""
STEP = round(0.005 * RATE)
ROOM_TONE_S = 0.200
"""Of a recording: its quietest stretch of this length is what its room sounds like."""


class Word(NamedTuple):
    """`end`: the first sample of the clip after the word."""

    text: str
    end: int


class Clip(NamedTuple):
    """16 kHz, 1.0 is full scale."""

    wave: Wave
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        return len(self.wave) / RATE


def available(sound: Sound) -> bool:
    """Recordings lie outside the repository, where they are present."""
    return not isinstance(sound, Cut) or (HUMAN_CLIPS / sound.file).exists()


@cache
def clip(sound: Sound) -> Clip:
    match sound:
        case Speech(_, voice) if voice.name == HUMMED:
            return _hum(sound)
        case Speech():
            return _spoken(sound)
        case Cut():
            return _cut(sound)
        case Noise(name, seconds, level_db, seed):
            return Clip(noise(name, seconds, seed) * _amplitude(level_db), ())


@cache
def room_tone(file: str, seconds: float = 4.0) -> Wave:
    """The noise of the room in which a recording was made, as loud as in its clips: the spectrum of its quietest
    stretch, with phases of its own, so that it goes on for ever without a loop to be heard."""
    recording, gain = _recording(file)
    length = min(round(ROOM_TONE_S * RATE), len(recording) // 2)
    starts = range(0, len(recording) - length + 1, STEP)
    quietest = min(starts, key=lambda start: _rms(recording[start : start + length]))
    stretch = recording[quietest : quietest + length] * gain
    samples = round(seconds * RATE)
    shape = np.interp(
        np.fft.rfftfreq(samples), np.fft.rfftfreq(length), np.abs(np.fft.rfft(stretch * np.hanning(length)))
    )
    phases = np.exp(2j * np.pi * np.random.default_rng(len(file)).random(len(shape)))
    tone = np.fft.irfft(shape * phases, samples)
    return tone * (_rms(stretch) / max(_rms(tone), 1e-12))


def _spoken(speech: Speech) -> Clip:
    """Words end where a rendering of the text up to them does, stretched to the length of the whole."""
    words = speech.text.split()
    wave = _rendered(" ".join(words), speech)
    prefixes = [len(_rendered(" ".join(words[: i + 1]), speech)) for i in range(len(words))]
    ends = np.maximum.accumulate(prefixes) * (len(wave) / max(prefixes))
    timed = [Word(word, round(end)) for word, end in zip(words, ends, strict=True)]
    return Clip(_levelled(wave), tuple(word for word in timed if not word.text.startswith(UNWRITTEN_MARK)))


def _rendered(text: str, speech: Speech) -> Wave:
    spoken = text.replace(UNWRITTEN_MARK, "")
    language = "pt" if speech.voice.name.startswith("pt") else "en"
    samples = render(_pronounceable(spoken), language, speech.voice.rate, speech.voice.name).astype(float)
    return _trimmed(samples / FULL_SCALE)


def _pronounceable(text: str) -> str:
    """espeak-ng spells words without a vowel: "mm-hmm" is said as a hum is spelled out."""
    text = re.sub(r"(?i)\bmm-hmm\b|\bmhm\b", "um hum", text)
    return re.sub(r"(?i)\bhmm\b", "hum", text)


def _hum(speech: Speech) -> Clip:
    wave = hummed(np.random.default_rng(speech.take))
    return Clip(_levelled(wave), (Word(speech.text, len(wave)),))


def _cut(cut: Cut) -> Clip:
    """Words end in proportion to their letters."""
    recording, gain = _recording(cut.file)
    wave = recording[round(cut.start * RATE) : round(cut.end * RATE)] * gain
    words = cut.text.split()
    share = np.cumsum([len(word) for word in words]) / sum(map(len, words))
    return Clip(wave, tuple(Word(word, round(len(wave) * at)) for word, at in zip(words, share, strict=True)))


@cache
def _recording(file: str) -> tuple[Wave, float]:
    """Without DC, and the gain that brings its speech to SPEECH_DB."""
    wave = human_clip(file).astype(float) / FULL_SCALE
    wave -= wave.mean()
    return wave, _amplitude(SPEECH_DB) / _speech_rms(wave)


def _levelled(wave: Wave) -> Wave:
    return wave * (_amplitude(SPEECH_DB) / _speech_rms(wave))


def _trimmed(wave: Wave) -> Wave:
    steps = wave[: len(wave) // STEP * STEP].reshape(-1, STEP)
    levels = np.sqrt(np.square(steps).mean(axis=1))
    audible = np.flatnonzero(levels > levels.max() * _amplitude(AUDIBLE_DB))
    return wave[audible[0] * STEP : (audible[-1] + 1) * STEP]


def _speech_rms(wave: Wave) -> float:
    """Of the louder half: pauses are not speech."""
    steps = wave[: len(wave) // STEP * STEP].reshape(-1, STEP)
    power = np.sort(np.square(steps).mean(axis=1))
    return float(np.sqrt(power[len(power) // 2 :].mean()))


def _rms(wave: Wave) -> float:
    return float(np.sqrt(np.mean(np.square(wave))))


def _amplitude(level_db: float) -> float:
    return float(10 ** (level_db / 20))
