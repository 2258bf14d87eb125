"""Spoken test input: espeak-ng renders a text as 16 kHz samples.

espeak-ng keeps its state in globals and is not thread-safe (two threads in it abort the process), hence the lock.
Its output varies a little from call to call; judge it by what is heard in it, not by its bytes.
"""

import ctypes
from functools import cache
from threading import Lock
from typing import NamedTuple

import espeakng_loader
import numpy as np
import soxr
from numpy.typing import NDArray

RATE = 16_000
VOICES = {"pt": "pt-br", "en": "en-us"}

# From espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_PARAMETER_RATE = 1
_CHARS_UTF8 = 1

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_lock = Lock()
_chunks: list[bytes] = []


class _Library(NamedTuple):
    espeak: ctypes.CDLL
    native_rate: int


def render(text: str, language: str, rate: int = 165, voice: str | None = None) -> NDArray[np.int16]:
    """Speak `text` at `rate` words a minute; `language` "pt" or "en"; `voice` is espeak's name, such as "pt-br+f2"."""
    with _lock:
        library = _load()
        name = voice or VOICES[language]
        if library.espeak.espeak_SetVoiceByName(name.encode()):
            raise ValueError(f"espeak-ng has no voice {name!r}")
        library.espeak.espeak_SetParameter(_PARAMETER_RATE, rate, 0)
        _chunks.clear()
        raw = text.encode() + b"\0"
        library.espeak.espeak_Synth(raw, ctypes.c_size_t(len(raw)), 0, 1, 0, _CHARS_UTF8, None, None)
        native = np.frombuffer(b"".join(_chunks), np.int16)
    samples: NDArray[np.int16] = soxr.resample(native, library.native_rate, RATE)
    return samples


def _collect(wave: "ctypes._Pointer[ctypes.c_short]", count: int, _events: object) -> int:
    if wave and count > 0:
        _chunks.append(ctypes.string_at(wave, 2 * count))
    return 0


_collect_callback = _CALLBACK(_collect)  # the library holds only its address


@cache
def _load() -> _Library:
    espeak = ctypes.CDLL(espeakng_loader.get_library_path())
    data_path = espeakng_loader.get_data_path().encode()
    rate = espeak.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 100, data_path, _INITIALIZE_DONT_EXIT)
    espeak.espeak_SetSynthCallback(_collect_callback)
    return _Library(espeak, rate)
