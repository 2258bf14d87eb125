"""A recording as one hears it: both sides mixed, piece by piece, however long it is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from serve_app.recordings.segments import Placed, Segment, arrange

PIECE = 5 * RATE

Read = Callable[[Segment], Iterator[Samples]]

_NOTHING: Samples = np.empty(0, np.int16)


class Mix:
    """`read` gives a segment's samples, in pieces, as often as it is asked."""

    def __init__(self, segments: Iterable[Segment], read: Read) -> None:
        self._sides = arrange(segments).values()
        self._read = read

    def length(self) -> int:
        """In samples at 16 kHz. It reads the last segment of each side."""
        return max(map(self._end, self._sides), default=0)

    def pieces(self) -> Iterator[Samples]:
        """All of PIECE samples at 16 kHz, but for the last. Where both speak too loud, they are clipped."""
        sides = [_pieces(self.track(placed)) for placed in self._sides]
        for together in zip_longest(*sides, fillvalue=_NOTHING):
            mixed = np.zeros(max(map(len, together)), np.int32)
            for samples in together:
                mixed[: len(samples)] += samples
            yield np.clip(mixed, -32768, 32767).astype(np.int16)

    def track(self, placed: Sequence[Placed]) -> Iterator[Samples]:
        """One side from position 0 on, with silence where there is nothing."""
        end = 0
        for segment, begins, until in placed:
            yield from _silence(begins - end)
            end = begins
            for samples in self._read(segment):
                heard = samples[: until - end]
                yield heard
                end += len(heard)
                if end == until:
                    break

    def _end(self, placed: Sequence[Placed]) -> int:
        if not placed:
            return 0
        segment, begins, until = placed[-1]
        return min(until, begins + sum(map(len, self._read(segment))))


def _silence(samples: int) -> Iterator[Samples]:
    for start in range(0, samples, PIECE):
        yield np.zeros(min(PIECE, samples - start), np.int16)


def _pieces(track: Iterator[Samples]) -> Iterator[Samples]:
    """The same samples, in pieces of PIECE."""
    held: list[Samples] = []
    missing = PIECE
    for samples in track:
        while len(samples) >= missing:
            yield np.concatenate([*held, samples[:missing]])
            held, samples, missing = [], samples[missing:], PIECE
        held.append(samples)
        missing -= len(samples)
    if missing < PIECE:
        yield np.concatenate(held)
