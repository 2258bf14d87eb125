"""Encoded audio: the formats the protocol names, and their samples."""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

FULL_SCALE = 32768
SILENCE_DB = -100.0  # what level_db calls digital silence: below one step of 16 bits (-90.3)

_PCM_RATES = (8000, 16000, 22050, 24000, 44100, 48000)


class AudioFormat(NamedTuple):
    """Mono audio as it travels: "pcm_16000" is s16le at 16 kHz, "ulaw_8000" is G.711 mu-law."""

    codec: Literal["pcm", "ulaw"]
    rate: int

    @staticmethod
    def parse(name: str) -> "AudioFormat":
        """Read a name like "pcm_16000". Raises ValueError, which lists the names there are."""
        for supported in SUPPORTED_FORMATS:
            if supported.name == name:
                return supported
        names = ", ".join(supported.name for supported in SUPPORTED_FORMATS)
        raise ValueError(f"audio format {name!r} is not supported; use one of {names}")

    @property
    def name(self) -> str:
        return f"{self.codec}_{self.rate}"

    @property
    def bytes_per_sample(self) -> int:
        return 2 if self.codec == "pcm" else 1

    def seconds(self, nbytes: int) -> float:
        return nbytes / (self.rate * self.bytes_per_sample)

    def bytes_for(self, seconds: float) -> int:
        """Bytes of the whole number of samples nearest to `seconds`."""
        return round(seconds * self.rate) * self.bytes_per_sample

    def silence(self, nbytes: int) -> bytes:
        return (b"\x00" if self.codec == "pcm" else b"\xff") * nbytes

    def decode(self, data: bytes) -> Samples:
        """Bytes -> int16 samples; may be a read-only view of `data`. Raises ValueError on half a sample."""
        if self.codec == "pcm":
            return np.frombuffer(data, "<i2")
        return _ULAW_TO_LINEAR[np.frombuffer(data, np.uint8)]

    def encode(self, samples: Samples) -> bytes:
        if self.codec == "pcm":
            return samples.astype("<i2", copy=False).tobytes()
        return _LINEAR_TO_ULAW[samples.view(np.uint16)].tobytes()

    def scaled(self, data: bytes, start_gain: float, end_gain: float) -> bytes:
        """Ramp the gain, 0..1. It reaches `end_gain` one sample after the end: ramps in a row join without a step."""
        if start_gain == end_gain == 1:
            return data
        samples = self.decode(data)
        gains = np.linspace(start_gain, end_gain, len(samples), endpoint=False, dtype=np.float32)
        return self.encode(np.rint(samples * gains).astype(np.int16))


SUPPORTED_FORMATS = (*(AudioFormat("pcm", rate) for rate in _PCM_RATES), AudioFormat("ulaw", 8000))


def level_db(samples: Samples) -> float:
    """RMS level in dB of full scale, about the mean: a DC offset is not loudness. SILENCE_DB at the least."""
    if not len(samples):
        return SILENCE_DB
    wave = samples.astype(np.float32)
    mean = float(np.add.reduce(wave)) / len(wave)
    power = float(wave.dot(wave)) / len(wave) - mean * mean
    if power <= 0:
        return SILENCE_DB
    return max(10 * math.log10(power / FULL_SCALE**2), SILENCE_DB)


def _expand_ulaw() -> Samples:
    """All 256 codes -> int16 by ITU-T G.711 (11/88), table 2: sign, 3 bits of segment, 4 of step, all inverted."""
    code = ~np.arange(256, dtype=np.uint8)
    step, segment = (code & 0x0F).astype(np.int32), (code >> 4) & 0x07
    magnitude = (((step << 3) + _ULAW_BIAS) << segment) - _ULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _compress_ulaw() -> NDArray[np.uint8]:
    """All int16, in the order of their uint16 bits -> codes by ITU-T G.711 (11/88), table 2."""
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    biased = np.minimum(np.abs(linear), _ULAW_CLIP) + _ULAW_BIAS
    segment = np.floor(np.log2(biased)).astype(np.int32) - 7
    step = (biased >> (segment + 3)) & 0x0F
    sign = np.where(linear < 0, 0x80, 0)
    codes: NDArray[np.uint8] = (~(sign | (segment << 4) | step)).astype(np.uint8)
    return codes


_ULAW_BIAS = 132  # 33 in G.711's 14 bits, here in 16: makes the segments powers of two
_ULAW_CLIP = 32635  # the largest magnitude that the bias leaves within 15 bits
_ULAW_TO_LINEAR = _expand_ulaw()
_LINEAR_TO_ULAW = _compress_ulaw()
