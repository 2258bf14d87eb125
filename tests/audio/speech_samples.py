"""Speech to test with: espeak-ng's, and human clips from outside the repository where they are present."""

import ctypes
import wave
from functools import cache
from pathlib import Path

import espeakng_loader
import numpy as np

from serve_app.audio.resample import Resampler

HUMAN_CLIPS = Path(__file__).parents[2].parent / "shared" / "audio"

_SYNCHRONOUS, _DONT_EXIT, _CHARS_UTF8 = 2, 0x8000, 1  # espeak-ng's speak_lib.h
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


@cache
def _espeak() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _DONT_EXIT)
    return library, rate


def say(text: str, voice: str) -> np.ndarray:
    """Synthesise `text`: int16 at 16 kHz."""
    library, rate = _espeak()
    chunks: list[bytes] = []

    def keep(samples: int | None, count: int, _events: int) -> int:
        if samples:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _Callback(keep)
    library.espeak_SetSynthCallback(callback)
    assert library.espeak_SetVoiceByName(voice.encode()) == 0
    data = text.encode() + b"\0"
    assert library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, _CHARS_UTF8, None, None) == 0
    return _at_16k(np.frombuffer(b"".join(chunks), np.int16), rate)


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
