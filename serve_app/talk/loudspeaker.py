"""What is heard: the agent's audio on the time line of the call."""

import wave
from pathlib import Path

import numpy as np

from serve_app.audio.pcm import FULL_SCALE, Samples
from serve_app.talk import TalkError

AUDIBLE = FULL_SCALE // 100  # -40 dBFS


class Loudspeaker:
    """Plays as a loudspeaker would and remembers it: silence where nothing came. Times are seconds of the call."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._track = bytearray()  # s16le

    @property
    def end(self) -> float:
        """When the last of what is queued will have been played."""
        return len(self._track) / (2 * self._rate)

    def play(self, samples: Samples, now: float) -> None:
        """Play after what is still queued, or at once."""
        self._track.extend(bytes(max(0, self._offset(now) - len(self._track))))
        self._track.extend(samples.astype("<i2", copy=False).tobytes())

    def cut(self, now: float) -> None:
        """Forget what was not played yet."""
        del self._track[self._offset(now) :]

    def first_sound(self, since: float) -> float | None:
        """When the first audible sample from `since` on is played."""
        heard = np.frombuffer(bytes(self._track[self._offset(since) :]), "<i2").astype(np.int32)
        audible = np.flatnonzero(np.abs(heard) > AUDIBLE)
        return since + int(audible[0]) / self._rate if len(audible) else None

    def save(self, path: Path) -> None:
        """Write everything as a WAV file. Raises TalkError."""
        try:
            with path.open("wb") as target, wave.open(target, "wb") as file:
                file.setparams((1, 2, self._rate, 0, "NONE", ""))
                file.writeframes(bytes(self._track))
        except OSError as e:
            raise TalkError(f"{path}: {e.strerror}") from e

    def _offset(self, seconds: float) -> int:
        return 2 * round(max(0.0, seconds) * self._rate)
