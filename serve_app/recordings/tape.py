"""Both sides of one call on one time line, as the recorder's thread writes them down."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.recordings.live import LiveFolder
from serve_app.recordings.reel import Reel
from serve_app.recordings.segments import Side
from serve_app.recordings.voice import Voice

STANDSTILL = RATE
"""Samples. Of a caller whose audio is this late, also after all that was on its way has come, the microphone was off.
"""

logger = logging.getLogger(__name__)


class FromCaller(NamedTuple):
    at: int
    samples: Samples


class FromAgent(NamedTuple):
    at: int
    audio: bytes


class Cut(NamedTuple):
    at: int


Note = FromCaller | FromAgent | Cut
"""What happened, in the words of `ports.Take`."""


class Tape:
    """Not for two threads at once. A disk that is full, or gone, ends the recording, and is told once."""

    def __init__(self, live: LiveFolder, conversation_id: str, epoch: int, voice: AudioFormat) -> None:
        self._id = conversation_id
        self._reels = {side: Reel(live, conversation_id, epoch, side) for side in Side}
        self._voice = Voice(voice, self._reels[Side.AGENT])
        self._shift = 0
        self._now = 0  # where the agent's newest audio begins, in the recording
        self.failed = False

    def write(self, notes: Sequence[Note]) -> None:
        """What came since the last time, about a quarter of a second ago. Nothing from the agent: it pauses."""
        if self.failed:
            return
        try:
            self._write(notes)
        except OSError as e:
            self.failed = True
            logger.error("the recording of conversation %s ends here: %s", self._id, e.strerror or e)
            self._abandon()

    def close(self, notes: Sequence[Note]) -> None:
        self.write(notes)
        self.write(())  # the agent's last words
        self._abandon()

    def _write(self, notes: Sequence[Note]) -> None:
        self._keep_up_with_caller([note for note in notes if isinstance(note, FromCaller)])
        pauses = True
        for note in notes:
            match note:
                case FromCaller(at, samples):
                    self._reels[Side.CALLER].write(at + self._shift, samples, self._shift)
                case FromAgent(at, audio):
                    pauses = False
                    self._now = max(self._now, at + self._shift)
                    self._voice.add(at, audio, self._shift)
                case Cut(at):
                    self._voice.cut(at, self._shift)
        if pauses:
            self._voice.rest()
        for reel in self._reels.values():
            reel.flush()

    def _keep_up_with_caller(self, heard: Sequence[FromCaller]) -> None:
        """The agent's audio goes by our clock, the caller's by their microphone, which may have been off meanwhile."""
        if heard and heard[-1].at + self._shift < self._now - STANDSTILL:
            self._shift = self._now - heard[0].at
            self._reels[Side.CALLER].close()

    def _abandon(self) -> None:
        for reel in self._reels.values():
            reel.abandon()
