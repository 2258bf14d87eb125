"""espeak-ng in a process of its own, on a socket that it gets as standard input.

espeak-ng is GPL-3.0, is not thread-safe, and a crash of it ends its process: none of that may reach the server. So
the library is loaded here and nowhere else. This file runs as a program, and imports nothing of ours.

A frame is its length (4 bytes, big-endian) and a msgpack map: `Say` and `Stop` come in, `Sound`, `Done` and `Failed`
go out. Requests are answered in order. When the socket ends, so does the process.
"""

import ctypes
import os
import queue
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TypeAlias

import msgspec

SAMPLE_RATE = 22_050
LENGTH_BYTES = 4
BUFFER_MS = 40

# speak_lib.h of espeak-ng 1.52
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_EE_OK = 0
_CHARS_UTF8 = 1
_RATE_PARAMETER = 1
_EVENT_LIST_TERMINATED = 0
_EVENT_WORD = 1


class Say(msgspec.Struct, tag=True, frozen=True):
    """Speak `text` in the first of `voices` that espeak-ng has, at `rate` words a minute."""

    request: int
    text: str
    voices: tuple[str, ...]
    rate: int


class Stop(msgspec.Struct, tag=True, frozen=True):
    """Nobody listens to this request any more. It is answered all the same."""

    request: int


class Sound(msgspec.Struct, tag=True, frozen=True):
    """Up to 60 ms (s16le, 22,050 Hz, mono), and the words that begin in them: (character from 0, sample from 0)."""

    request: int
    pcm: bytes
    words: tuple[tuple[int, int], ...]


class Done(msgspec.Struct, tag=True, frozen=True):
    request: int


class Failed(msgspec.Struct, tag=True, frozen=True):
    request: int
    reason: str


Request: TypeAlias = Say | Stop
Reply: TypeAlias = Sound | Done | Failed
Words: TypeAlias = tuple[tuple[int, int], ...]

_encoder = msgspec.msgpack.Encoder()


def frame(message: Request | Reply) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


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
        import espeakng_loader  # here, so that the parent can import the messages without it

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = os.fsencode(espeakng_loader.get_data_path())
        rate = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MS, data, _INITIALIZE_DONT_EXIT)
        if rate != SAMPLE_RATE:
            raise OSError(f"espeak_Initialize returned {rate}, not {SAMPLE_RATE}")
        self._hear: Callable[[bytes, Words], bool] = lambda pcm, words: False
        self._callback = _SynthCallback(self._on_sound)  # the library keeps only its address: it must outlive us
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, request: Say, hear: Callable[[bytes, Words], bool]) -> None:
        """Speak. `hear` gets the sound as it is made and says whether to go on. Raises OSError."""
        self._choose(request.voices)
        self._library.espeak_SetParameter(_RATE_PARAMETER, request.rate, 0)
        self._hear = hear
        text = request.text.encode() + b"\0"
        status = self._library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, _CHARS_UTF8, None, None)
        if status != _EE_OK:
            raise OSError(f"espeak_Synth returned {status}")

    def _choose(self, voices: tuple[str, ...]) -> None:
        if not any(self._library.espeak_SetVoiceByName(name.encode()) == _EE_OK for name in voices):
            raise OSError(f"espeak-ng has none of the voices {', '.join(voices)}")

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


class Child:
    """Answers requests. A thread reads them, so that a Stop is seen while its request is being spoken."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._requests: queue.SimpleQueue[Say] = queue.SimpleQueue()
        self._stopped: set[int] = set()

    def run(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        espeak = Espeak()
        while True:
            request = self._requests.get()
            self._send(self._answer(espeak, request))
            # Requests come in order: the numbers up to this one are over. In place, for the thread may add to it now.
            self._stopped.difference_update([number for number in self._stopped.copy() if number <= request.request])

    def _answer(self, espeak: Espeak, request: Say) -> Reply:
        def hear(pcm: bytes, words: Words) -> bool:
            if pcm or words:
                self._send(Sound(request.request, pcm, words))
            return request.request not in self._stopped

        try:
            espeak.say(request, hear)
        except OSError as error:
            return Failed(request.request, str(error))
        return Done(request.request)

    def _read(self) -> None:
        decoder = msgspec.msgpack.Decoder(Request)
        with self._line.makefile("rb") as stream:
            while (body := _next_frame(stream)) is not None:
                match decoder.decode(body):
                    case Say() as say:
                        self._requests.put(say)
                    case Stop(number):
                        self._stopped.add(number)
        os._exit(0)  # the parent is gone; the main thread may be deep in the library

    def _send(self, reply: Reply) -> None:
        try:
            self._line.sendall(frame(reply))
        except OSError:
            os._exit(0)  # the same, noticed first by the thread that speaks


def _next_frame(stream: BinaryIO) -> bytes | None:
    length = stream.read(LENGTH_BYTES)
    body = stream.read(int.from_bytes(length, "big"))
    return body if len(length) == LENGTH_BYTES else None


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as parent:
        Child(parent).run()
