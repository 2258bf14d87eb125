"""Audio to record, and what a recording sounds like."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.recordings.archive import Archive
from serve_app.recordings.library import Library
from serve_app.recordings.live import LiveFolder
from serve_app.recordings.mixing import Mix
from serve_app.recordings.segments import Side, arrange
from serve_app.recordings.tape import FromAgent, FromCaller

WIRE = AudioFormat("pcm", RATE)
CHUNK = RATE // 25


def speech(seconds: float, seed: int = 0) -> Samples:
    """What rises and falls as voices do, and is nowhere like itself."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    loudness = 3000 + 2500 * np.sin(np.arange(count) / RATE * 2 * np.pi * 3)
    return np.clip(rng.normal(size=count) * loudness / 3, -12000, 12000).astype(np.int16)


def from_caller(samples: Samples, at: int = 0) -> Iterator[FromCaller]:
    for start in range(0, len(samples), FRAME_SAMPLES):
        yield FromCaller(at + start, samples[start : start + FRAME_SAMPLES])


def from_agent(samples: Samples, at: int = 0) -> Iterator[FromAgent]:
    for start in range(0, len(samples), CHUNK):
        yield FromAgent(at + start, samples[start : start + CHUNK].tobytes())


def live_in(folder: Path) -> LiveFolder:
    return LiveFolder(folder / "live", reserved_bytes=0)


def library_in(folder: Path) -> Library:
    return Library(live_in(folder), Archive((folder / "kept").as_uri()))


def heard(library: Library, conversation_id: str = "conv_1") -> Samples:
    """Both sides, mixed."""
    mix = Mix(library.segments(conversation_id), lambda each: library.samples(conversation_id, each))
    return np.concatenate([np.empty(0, np.int16), *mix.pieces()])


def one_side(library: Library, side: Side, conversation_id: str = "conv_1") -> Samples:
    placed = arrange(library.segments(conversation_id))[side]
    alone = Mix((), lambda each: library.samples(conversation_id, each))
    return np.concatenate([np.empty(0, np.int16), *alone.track(placed)])


def on_silence(length: int, *placed: tuple[int, Samples]) -> Samples:
    """`length` samples of silence with these on it, each from its position on."""
    track = np.zeros(length, np.int16)
    for at, samples in placed:
        track[at : at + len(samples)] = samples
    return track


def likeness(decoded: NDArray[np.floating], samples: Samples) -> float:
    """Of its first seconds, -1 to 1, at whichever delay the encoder and the decoder add together: under 0.1 s."""
    middle = samples[RATE : 3 * RATE].astype(float)
    following = decoded[RATE : RATE + RATE // 10 + len(middle)]
    delay = int(np.correlate(following, middle).argmax())
    return float(np.corrcoef(following[delay : delay + len(middle)], middle)[0, 1])
