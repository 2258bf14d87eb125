"""A loudspeaker, a room and a line: what they make of a voice that comes back into the caller's microphone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serve_app.audio.pcm import FULL_SCALE, AudioFormat, Samples
from serve_app.audio.resample import Resampler
from tests.espeak import RATE

Wave = NDArray[np.float64]

VOICE_DB = -22.0  # of what sounds in a voice, which is not its pauses
_AUDIBLE = 10 ** (-50 / 20)


class Room(NamedTuple):
    """RT60 in ms, and the direct sound over all its reflections; `drive` overdrives the loudspeaker, 0 not at all."""

    loss_db: float
    delay_ms: int
    reverberation_ms: int = 0
    direct_db: float = 3.0
    drive: float = 0.0
    noise_db: float = -60.0
    telephone: bool = False

    def returned(self, voice: Samples) -> Wave:
        """What comes back of `voice`: as long as it, without the line's noise."""
        wave = voice / FULL_SCALE
        if self.drive:
            wave = np.tanh(wave * self.drive) / self.drive
        wave = _convolved(wave, self._response())[: len(voice)]
        delayed = np.concatenate([np.zeros(self.delay_ms * RATE // 1000), wave])[: len(voice)]
        return delayed * 10 ** (-self.loss_db / 20)

    def heard(self, wave: Wave, seed: int = 1) -> Samples:
        """What the line makes of all that sounds."""
        noisy = wave + np.random.default_rng(seed).standard_normal(len(wave)) * 10 ** (self.noise_db / 20)
        samples = as_samples(noisy)
        return _through_telephone(samples) if self.telephone else samples

    def _response(self) -> Wave:
        direct = np.array([10 ** (self.direct_db / 20)])
        if not self.reverberation_ms:
            return direct / direct[0]
        length = self.reverberation_ms * RATE // 1000
        tail = np.random.default_rng(2).standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
        response = np.concatenate([direct, np.zeros(RATE // 500), tail / np.sqrt(tail.dot(tail))])
        return response / np.sqrt(response.dot(response))


def as_samples(wave: Wave) -> Samples:
    return np.clip(np.rint(wave * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def at_voice_level(speech: Samples, db: float = VOICE_DB) -> Wave:
    wave = (speech - speech.mean()) / FULL_SCALE
    audible = wave[np.abs(wave) > _AUDIBLE]
    return wave / np.sqrt(np.mean(audible**2)) * 10 ** (db / 20)


def _convolved(wave: Wave, response: Wave) -> Wave:
    length = len(wave) + len(response) - 1
    return np.fft.irfft(np.fft.rfft(wave, length) * np.fft.rfft(response, length), length)


def _through_telephone(samples: Samples) -> Samples:
    mulaw = AudioFormat.parse("ulaw_8000")
    down, up = Resampler(RATE, mulaw.rate), Resampler(mulaw.rate, RATE)
    narrow = np.concatenate([down.process(samples), down.flush()])
    line = mulaw.decode(mulaw.encode(narrow))
    return np.concatenate([up.process(line), up.flush()])[: len(samples)]
