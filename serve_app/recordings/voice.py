"""The agent's side of a call as the client plays it, on its way to a reel."""

import math

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.audio.resample import Resampler
from serve_app.recordings.reel import Reel

HELD = RATE // 2
"""Samples that an interruption may still take back: more than ever leaves ahead of its time."""
JITTER = RATE // 10
"""What begins this close to the end of what was given before follows it: the clocks are compared through a network."""


class Voice:
    """`at`: positions on the caller's time line, in samples at 16 kHz. Everything may raise OSError."""

    def __init__(self, audio_format: AudioFormat, reel: Reel) -> None:
        self._format = audio_format
        self._reel = reel
        self._resampler: Resampler | None = None
        self._ready: Samples = np.empty(0, np.int16)
        self._position = 0  # of the first that is ready, in the recording
        self._end = -math.inf  # where the caller hears the end of what was given
        self._offset = 0  # from there to the same in the recording
        self._shift = 0

    def add(self, at: int, audio: bytes, shift: int) -> None:
        """It sounds from `at` on, or as soon as what was given before has sounded."""
        if not self._follows(at, shift):
            self.rest()
            self._position = max(at + shift, self._position)
            self._end, self._offset, self._shift = at, self._position - at, shift
        samples = self._format.decode(audio)
        self._end += len(samples) * RATE / self._format.rate
        if self._resampler is None:
            self._resampler = Resampler(self._format.rate, RATE)
        self._ready = np.concatenate((self._ready, self._resampler.process(samples)))
        self._keep(len(self._ready) - HELD)

    def cut(self, at: int, shift: int) -> None:
        """Nothing sounds from there on. What has been kept already stays."""
        unheard = self._end - at + min(self._offset - shift, 0)
        self._end = -math.inf  # what comes next begins where it says
        self._finish_resampling()
        if unheard > 0:
            self._ready = self._ready[: max(len(self._ready) - round(unheard), 0)]
        self._keep(len(self._ready))

    def rest(self) -> None:
        """It pauses: nothing of it is taken back any more."""
        self._finish_resampling()
        self._keep(len(self._ready))

    def _follows(self, at: int, shift: int) -> bool:
        """By the caller's clock; or it could not have sounded before, since the client plays one after the other."""
        late = at - self._end
        return abs(late) <= JITTER or (late < 0 and late + shift - self._offset <= JITTER)

    def _finish_resampling(self) -> None:
        """What the resampler holds back."""
        if self._resampler:
            self._ready = np.concatenate((self._ready, self._resampler.flush()))
            self._resampler = None

    def _keep(self, count: int) -> None:
        if count > 0:
            self._reel.write(self._position, self._ready[:count], self._shift)
            self._ready = self._ready[count:]
            self._position += count
