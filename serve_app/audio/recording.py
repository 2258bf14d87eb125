"""What the caller said lately, addressed by the count of samples since the call began."""

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples


class Recording:
    """The last `seconds` of 16 kHz audio. `end` counts every sample ever appended; `start` is the oldest still held."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._capacity = round(seconds * RATE)
        # Twice the capacity: the held half moves to the front once per `seconds`, not once per append.
        self._buffer: Samples = np.empty(2 * self._capacity, np.int16)
        self._used = 0
        self.end = 0

    @property
    def start(self) -> int:
        return self.end - min(self._used, self._capacity)

    def append(self, samples: Samples) -> None:
        self.end += len(samples)
        samples = samples[-self._capacity :]
        if self._used + len(samples) > len(self._buffer):
            kept = self._buffer[self._used - self._capacity : self._used]
            self._buffer[: self._capacity] = kept
            self._used = self._capacity
        self._buffer[self._used : self._used + len(samples)] = samples
        self._used += len(samples)

    def samples(self, start: int, end: int) -> Samples:
        """Samples [start, end) as far as they are held: a view, good until the next append."""
        first_held = self.end - self._used
        start = max(start, self.start)
        return self._buffer[start - first_held : max(start, min(end, self.end)) - first_held]

    def slice(self, start: int, end: int) -> bytes:
        """Samples [start, end) as s16le, as far as they are held."""
        return self.samples(start, end).astype("<i2", copy=False).tobytes()
