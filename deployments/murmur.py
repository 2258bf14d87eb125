"""Does the caller who starts to sound over the agent's voice want to speak, or are they only listening aloud?

A small network hears the first half second of the overlap, which is all there is when the agent must stop or go on. It
tells "uh-huh", "aham", "sei", a hum, a cough and a laugh from the beginning of a sentence by their sound alone, before
any word is recognised. benchmarks/train_murmur.py makes its weights and says how well it does.
"""

import math
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve_app.audio.framing import RATE
from serve_app.errors import ProviderError
from serve_app.ports import Judgement, Question

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "models" / "murmur.npz"

HOP = RATE // 100
WINDOW = HOP * 5 // 2  # 25 ms
FFT = 512
BANDS = 24
LOWEST_HZ, HIGHEST_HZ = 100.0, 7000.0
RANGE_DB = 50.0  # what is this far below the loudest cell of the window is as good as silence

LEAD = RATE * 50 // 1000  # heard from before the onset: the detector may have noticed it late
LONGEST = RATE * 500 // 1000  # heard from the onset on
SHORTEST = RATE * 150 // 1000  # less says nothing about what comes

# The network: convolutions over time as (frames, stride), each to a ramp; then the mean, the peak and the last frame.
LAYERS = ((5, 1), (5, 2), (3, 2))
STARTS = 4  # it hears the window from each of its first frames and takes the mean: the strides skip three of four


class Murmur:
    """The engine that judges overlaps. Stateless and thread-safe; `interruption` is from half a second on the same."""

    def __init__(self) -> None:
        with np.load(WEIGHTS) as arrays:
            self._weights = {name: arrays[name].astype(np.float32) for name in arrays.files}

    def describe(self) -> str:
        return "a small network on the first half second of an overlap"

    def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge, in less than 1 ms. `interruption` from 0.5 on: stop the agent now, three of a hundred
        listeners' noises get that far. Below: not sure, the words will tell. `turn_end` is 0: that is another question.

        Raises ProviderError if `pcm` holds half a sample.
        """
        if len(question.pcm) % 2:
            raise ProviderError("the window is not s16le: it has an odd number of bytes")
        samples = np.frombuffer(question.pcm, "<i2")
        if len(samples) - question.onset < SHORTEST:
            return Judgement(turn_end=0.0, interruption=0.0)
        bands = power(overlap(samples, question.onset))
        return Judgement(turn_end=0.0, interruption=_logistic(self._floor(features(bands))))

    def _floor(self, levels: Floats) -> float:
        """How much this sounds like somebody who wants the floor, in logits above the point of "stop now". The less was
        heard, the surer it must be."""
        score = sum(self._heard(levels[start:]) for start in range(STARTS)) / STARTS
        return score - float(np.interp(len(levels), *self._weights["thresholds"]))

    def _heard(self, levels: Floats) -> float:
        weights, heard = self._weights, levels
        for number, (frames, stride) in enumerate(LAYERS):
            windows = np.lib.stride_tricks.sliding_window_view(heard, frames, axis=0)[::stride]
            heard = np.maximum(windows.reshape(len(windows), -1) @ weights[f"w{number}"] + weights[f"b{number}"], 0)
        pooled = np.concatenate([heard.mean(axis=0), heard.max(axis=0), heard[-1]])
        hidden = np.maximum(pooled @ weights["w3"] + weights["b3"], 0)
        return float(hidden @ weights["w4"][:, 0] + weights["b4"][0])


def overlap(samples: NDArray[np.int16], onset: int) -> NDArray[np.int16]:
    """From LEAD before the onset to LONGEST after it; where there is no before, the first sample stands for it."""
    missing = max(LEAD - onset, 0)
    heard = samples[onset - LEAD + missing : onset + LONGEST]
    return np.pad(heard, (missing, 0), "edge")


def power(samples: NDArray[np.int16]) -> Floats:
    """The power in each of BANDS mel bands, of arbitrary unit and without DC: a row for every HOP of whole WINDOWs."""
    wave = np.diff(samples.astype(np.float32), prepend=np.float32(samples[0]))
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * _taper(), FFT)
    bands: Floats = np.square(np.abs(spectrum)).astype(np.float32) @ _mel_filters()
    return bands


def features(bands: Floats) -> Floats:
    """Levels from 0 (RANGE_DB below the loudest cell, or less) to 1 (the loudest): how loud it is does not count."""
    loudest = np.maximum(bands.max(axis=(-2, -1), keepdims=True), 1)
    levels: Floats = np.maximum(1 + 10 / RANGE_DB * np.log10(np.maximum(bands, 1e-3) / loudest), 0).astype(np.float32)
    return levels


@cache
def _taper() -> Floats:
    return np.hanning(WINDOW).astype(np.float32)


@cache
def _mel_filters() -> Floats:
    """FFT // 2 + 1 x BANDS: triangles evenly spaced in mel, 2595 log10(1 + f / 700) (O'Shaughnessy 1987)."""
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    bins = np.arange(FFT // 2 + 1)[:, None] * RATE / FFT
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters: Floats = np.maximum(np.minimum(rising, falling), 0).astype(np.float32)
    return filters


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -30.0), 30.0)))
