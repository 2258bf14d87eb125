"""A voice in a process of its own, on a socket that it gets as standard input.

What may crash, hang or bring its own licence stays out of the server: `espeak_child` and `piper_child` run as programs,
and load their library there and nowhere else.

A frame is its length (4 bytes, big-endian) and a msgpack map. First the child says `Ready`, or `Failed` and ends. Then
`Say` and `Stop` come in, `Sound`, `Done` and `Failed` go out. Requests are answered in order. When the socket ends, so
does the process.
"""

import os
import queue
import socket
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, Protocol, TypeAlias

import msgspec

LENGTH_BYTES = 4


class Say(msgspec.Struct, tag=True, frozen=True):
    """Speak `text` in the first of `voices` that there is; `speed` 1 is the voice's own, 2 is twice as fast."""

    request: int
    text: str
    voices: tuple[str, ...]
    speed: float


class Stop(msgspec.Struct, tag=True, frozen=True):
    """Nobody listens to this request any more. It is answered all the same."""

    request: int


class Ready(msgspec.Struct, tag=True, frozen=True):
    sample_rate: int


class Sound(msgspec.Struct, tag=True, frozen=True):
    """Some 50 ms (s16le, mono), and the words that begin in them: (character from 0, sample from 0)."""

    request: int
    pcm: bytes
    words: tuple[tuple[int, int], ...] = ()


class Done(msgspec.Struct, tag=True, frozen=True):
    request: int


class Failed(msgspec.Struct, tag=True, frozen=True):
    """`request` None: the voice cannot speak at all."""

    request: int | None
    reason: str


Request: TypeAlias = Say | Stop
Reply: TypeAlias = Ready | Sound | Done | Failed
Words: TypeAlias = tuple[tuple[int, int], ...]
Hear: TypeAlias = Callable[[bytes, Words], bool]

_encoder = msgspec.msgpack.Encoder()


class VoiceError(Exception):
    """The voice cannot speak, or not this. The message goes to people: nothing of the text is in it."""


class Engine(Protocol):
    """A library that speaks. One thread only."""

    sample_rate: int

    def say(self, request: Say, hear: Hear) -> None:
        """Speak. `hear` gets the sound as it is made and says whether to go on. Raises VoiceError."""
        ...


def frame(message: Request | Reply) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next message, encoded; None: the other side is gone."""
    length = stream.read(LENGTH_BYTES)
    size = int.from_bytes(length, "big")
    body = stream.read(size)
    return body if len(length) == LENGTH_BYTES and len(body) == size else None


def serve(load: Callable[[], Engine]) -> None:
    """Answer the parent for as long as it is there. `load` raises VoiceError."""
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as parent:
        _Child(parent).run(load)


class _Child:
    """Answers requests. A thread reads them, so that a Stop is seen while its request is being spoken."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._requests: queue.SimpleQueue[Say] = queue.SimpleQueue()
        self._stopped: set[int] = set()

    def run(self, load: Callable[[], Engine]) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        try:
            engine = load()
        except VoiceError as error:
            self._send(Failed(None, str(error)))
            return
        self._send(Ready(engine.sample_rate))
        while True:
            request = self._requests.get()
            self._send(self._answer(engine, request))
            # Requests come in order: the numbers up to this one are over. In place, for the thread may add to it now.
            self._stopped.difference_update([number for number in self._stopped.copy() if number <= request.request])

    def _answer(self, engine: Engine, request: Say) -> Reply:
        def hear(pcm: bytes, words: Words) -> bool:
            if pcm or words:
                self._send(Sound(request.request, pcm, words))
            return request.request not in self._stopped

        try:
            engine.say(request, hear)
        except VoiceError as error:
            return Failed(request.request, str(error))
        return Done(request.request)

    def _read(self) -> None:
        decoder = msgspec.msgpack.Decoder(Request)
        with self._line.makefile("rb") as stream:
            while (body := read_frame(stream)) is not None:
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
