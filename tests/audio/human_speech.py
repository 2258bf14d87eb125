"""Human speech to test with: clips from outside the repository, where they are present."""

import wave
from pathlib import Path

import numpy as np

from serve_app.audio.resample import Resampler

HUMAN_CLIPS = Path(__file__).parents[2].parent / "shared" / "audio"


def human_clip(name: str) -> np.ndarray:
    """One of HUMAN_CLIPS: int16 at 16 kHz, mono."""
    path = HUMAN_CLIPS / name
    if path.suffix == ".flac":
        from faster_whisper.audio import decode_audio  # heavy: only where it is needed

        return (decode_audio(str(path), 16000) * 32767).astype(np.int16)
    with wave.open(str(path)) as clip:
        return _at_16k(np.frombuffer(clip.readframes(clip.getnframes()), np.int16), clip.getframerate())


def _at_16k(samples: np.ndarray, rate: int) -> np.ndarray:
    resampler = Resampler(rate, 16000)
    return np.concatenate([resampler.process(samples), resampler.flush()])
