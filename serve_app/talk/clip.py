"""What is to be said: speech from a WAV file."""

import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from serve_app.audio.pcm import FULL_SCALE, AudioFormat, Samples
from serve_app.talk import TalkError

_FAINTEST_CLIP = FULL_SCALE // 100  # -40 dBFS: a file that never gets louder was recorded with the microphone off
_VOICED_SHARE = 0.01  # of the loudest 20 ms, in power (-20 dB): what is fainter at a clip's end is the room, not speech


class Clip(NamedTuple):
    """Mono `samples` at `rate`, and how long it takes from their start to the end of the last word."""

    samples: Samples
    rate: int
    voiced_seconds: float

    def messages(self, audio: AudioFormat, seconds: float) -> list[bytes]:
        """The clip in `audio`, cut into messages of `seconds`, the last one filled up with silence."""
        data = audio.encode(soxr.resample(self.samples, self.rate, audio.rate))
        size = audio.bytes_for(seconds)
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        return [piece + audio.silence(size - len(piece)) for piece in pieces]


def read_clip(path: Path) -> Clip:
    """Read a 16-bit WAV of any rate and any number of channels. Raises TalkError."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                raise TalkError(f"{path}: its samples have {8 * file.getsampwidth()} bits; convert it to 16")
            interleaved = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            samples = interleaved.reshape(-1, file.getnchannels()).mean(axis=1).astype(np.int16)
            rate = file.getframerate()
    except FileNotFoundError as e:
        raise TalkError(f"{path}: no such file") from e
    except OSError as e:
        raise TalkError(f"{path}: {e.strerror}") from e
    except (wave.Error, EOFError, ValueError) as e:
        raise TalkError(f"{path}: not a whole WAV file with PCM samples") from e
    if not np.any(np.abs(samples.astype(np.int32)) > _FAINTEST_CLIP):
        raise TalkError(f"{path}: holds no sound to speak of")
    return Clip(samples, rate, voiced_seconds(samples, rate))


def voiced_seconds(samples: Samples, rate: int) -> float:
    """Seconds up to the end of the last 20 ms that are not much fainter than the loudest; a DC offset is no sound."""
    size = round(rate * 0.02)
    shape = samples - samples.mean()
    power = (np.append(shape, np.zeros(-len(shape) % size)).reshape(-1, size) ** 2).mean(axis=1)
    last = int(np.flatnonzero(power > _VOICED_SHARE * power.max())[-1])
    return min((last + 1) * size, len(samples)) / rate
