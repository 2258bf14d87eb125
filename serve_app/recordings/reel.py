"""One side of a call on its way to the disk: segment after segment."""

from contextlib import suppress
from typing import BinaryIO

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from serve_app.recordings.live import LiveFile, LiveFolder
from serve_app.recordings.segments import Segment, Side

SEGMENT = 60 * RATE
"""Samples. Shorter ones would be many objects in a store; of a node that burns down, longer ones would be lost."""


class Reel:
    """Positions are of the recording, in samples at 16 kHz. Everything may raise OSError."""

    def __init__(self, live: LiveFolder, conversation_id: str, epoch: int, side: Side) -> None:
        self.end = 0
        self._live = live
        self._conversation_id = conversation_id
        self._epoch = epoch
        self._side = side
        self._begins = 0
        self._file: BinaryIO | None = None

    def write(self, at: int, samples: Samples, shift: int) -> None:
        """What comes before `end` is there already. `shift`: see Segment."""
        samples, at = samples[max(self.end - at, 0) :], max(at, self.end)
        if not len(samples):
            return
        if at - self._begins >= SEGMENT:
            self.close()
        if self._file is None:
            segment = Segment(self._epoch, at, shift, self._side)
            self._file = self._live.create(LiveFile(self._conversation_id, segment))
            self._begins = self.end = at
        self._file.write(bytes(2 * (at - self.end)))
        self._file.write(samples.astype("<i2", copy=False).tobytes())
        self.end = at + len(samples)

    def flush(self) -> None:
        """From now on it outlives the process."""
        if self._file:
            self._file.flush()

    def close(self) -> None:
        """The segment ends; what is written next begins another."""
        if self._file:
            self._file.close()
            self._file = None

    def abandon(self) -> None:
        """Close, whatever of the last of it fits on the disk."""
        with suppress(OSError):
            self.close()
