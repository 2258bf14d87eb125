"""espeak-ng as a program: see `voice_child`.

It is GPL-3.0, is not thread-safe, and a crash of it ends its process.
"""

import ctypes
import os
from typing import Any

from deployments.voices.voice_child import Hear, Say, VoiceError, Words, serve

BUFFER_MS = 40
WORDS_PER_MINUTE = 165

# speak_lib.h of espeak-ng 1.52
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_EE_OK = 0
_CHARS_UTF8 = 1
_RATE_PARAMETER = 1
_EVENT_LIST_TERMINATED = 0
_EVENT_WORD = 1


class _Event(ctypes.Structure):
    """espeak_EVENT. `position` counts characters from 1; `sample` counts from the start of the request."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The library. One thread only."""

    def __init__(self) -> None:
        import espeakng_loader  # here: only this program loads it

        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as e:
            raise VoiceError(f"espeak-ng does not load: {e}") from e
        data = os.fsencode(espeakng_loader.get_data_path())
        rate: int = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MS, data, _INITIALIZE_DONT_EXIT)
        if rate <= 0:
            raise VoiceError(f"espeak_Initialize returned {rate}")
        self.sample_rate = rate
        self._hear: Hear = lambda pcm, words: False
        self._callback = _SynthCallback(self._on_sound)  # the library keeps only its address: it must outlive us
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, request: Say, hear: Hear) -> None:
        """Speak. `hear` gets the sound as it is made and says whether to go on. Raises VoiceError."""
        self._choose(request.voices)
        self._library.espeak_SetParameter(_RATE_PARAMETER, round(WORDS_PER_MINUTE * request.speed), 0)
        self._hear = hear
        text = request.text.encode() + b"\0"
        status = self._library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, _CHARS_UTF8, None, None)
        if status != _EE_OK:
            raise VoiceError(f"espeak_Synth returned {status}")

    def _choose(self, voices: tuple[str, ...]) -> None:
        if not any(self._library.espeak_SetVoiceByName(name.encode()) == _EE_OK for name in voices):
            raise VoiceError(f"espeak-ng has none of the voices {', '.join(voices)}")

    def _on_sound(self, wave: Any, samples: int, events: Any) -> int:
        """espeak-ng's callback: 0 to go on, 1 to stop. A null `wave` marks the end of the request."""
        if not wave:
            return 0
        pcm = ctypes.string_at(wave, samples * ctypes.sizeof(ctypes.c_short))
        return 0 if self._hear(pcm, _words(events)) else 1


def _words(events: Any) -> Words:
    words = []
    index = 0
    while events[index].type != _EVENT_LIST_TERMINATED:
        if events[index].type == _EVENT_WORD:
            words.append((events[index].position - 1, events[index].sample))
        index += 1
    return tuple(words)


if __name__ == "__main__":
    serve(Espeak)
