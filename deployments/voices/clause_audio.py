"""The sound of one clause as a local voice makes it, in the caller's format and cut into chunks."""

import unicodedata

import numpy as np

from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.audio.resample import Resampler

CLAUSE_PAUSE_S = 0.12  # espeak-ng ends with the last sound; its own pause, when asked for, is 330 ms
FIRST_CHUNK_S = 0.06
CHUNK_S = 0.16


class ClauseAudio:
    """Add samples as they come; cut while there is enough. A pause ends it, if there were any."""

    def __init__(self, sample_rate: int, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._resampler = Resampler(sample_rate, audio_format.rate)
        self._ready = np.empty(0, np.int16)
        self._begun = False
        self.cut_ms = 0.0

    def add(self, samples: Samples) -> None:
        self._begun |= len(samples) > 0
        self._ready = np.concatenate([self._ready, self._resampler.process(samples)])

    def end(self) -> None:
        if not self._begun:
            return
        pause = np.zeros(round(CLAUSE_PAUSE_S * self._format.rate), np.int16)
        self._ready = np.concatenate([self._ready, self._resampler.flush(), pause])

    @property
    def enough(self) -> bool:
        """Is there a whole chunk?"""
        return len(self._ready) >= self._next_size()

    @property
    def left(self) -> bool:
        """Is there any sound?"""
        return len(self._ready) > 0

    @property
    def next_end_ms(self) -> float:
        """Where a whole chunk would end, from the start of the clause."""
        return self.cut_ms + self._next_size() * 1000 / self._format.rate

    def cut(self) -> bytes:
        """The next chunk, or what there is of it."""
        size = self._next_size()
        samples, self._ready = self._ready[:size], self._ready[size:]
        self.cut_ms += len(samples) * 1000 / self._format.rate
        return self._format.encode(samples)

    def _next_size(self) -> int:
        return round((CHUNK_S if self.cut_ms else FIRST_CHUNK_S) * self._format.rate)


def printable(text: str) -> str:
    """Control characters and lone surrogates become spaces: as many characters as before, so positions still hold."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in text)
