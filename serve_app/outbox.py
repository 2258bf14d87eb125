"""What waits to be sent to one caller, and the goodbye."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, NamedTuple, Protocol

from serve_app.conversation import protocol
from serve_app.errors import Unavailable

logger = logging.getLogger(__name__)

MOST_AUDIO = 250
"""Messages, 10 s of sound. It leaves 60 ms ahead of real time: what has waited for so long, nobody wants to hear."""
MOST_EVENTS = 1024
"""Messages other than audio. They are never dropped: a client that leaves so many is gone."""
CLOSING_S = 2.0
"""For the last frames, and for the close, to a client that may be gone."""


class Socket(Protocol):
    """What a conversation needs of a WebSocket. Both raise OSError when the client is gone."""

    async def send_text(self, data: str) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


class _Frame(NamedTuple):
    text: str
    is_audio: bool


class Outbox:
    """Bounded, for callers that read slowly: of audio the oldest is dropped, and counted in `dropped`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._frames: deque[_Frame] = deque()
        self._audio = 0  # of them
        self._leaving = False  # the first one is: it counts as sent, unless the sending is broken off
        self._filled = asyncio.Event()

    @property
    def waiting_audio(self) -> int:
        """Messages of sound that the client has not taken yet."""
        return self._audio

    def put(self, message: protocol.ServerMessage) -> None:
        """Raises Unavailable when the client takes nothing."""
        if isinstance(message, protocol.Interruption):
            self._drop_audio(self._audio)  # clients play what comes, also of an answer that is over
        is_audio = isinstance(message, protocol.Audio)
        if is_audio and self._audio >= MOST_AUDIO:
            self.dropped += 1
            self._drop_audio(1)
        if not is_audio and len(self._frames) - self._audio >= MOST_EVENTS:
            raise Unavailable("the client takes no messages")
        self._push(message)

    async def send(self, socket: Socket) -> None:
        """Send what comes, for ever. Raises OSError when the client is gone."""
        while True:
            while not self._frames:
                self._filled.clear()
                await self._filled.wait()
            await self._send_first(socket)

    async def close(self, socket: Socket, last: protocol.ServerMessage | None, code: int, reason: str) -> None:
        """Send what is left and `last`, then close. Never raises: the client may be gone, or take nothing more."""
        if last:
            self._push(last)
        await _while_there(self._send_rest(socket))
        await _while_there(socket.close(code, reason))

    async def _send_rest(self, socket: Socket) -> None:
        while self._frames:
            await self._send_first(socket)

    async def _send_first(self, socket: Socket) -> None:
        """It goes out of the box when it has left: broken off, it is still the first."""
        self._leaving = True
        try:
            await socket.send_text(self._frames[0].text)
        finally:
            self._leaving = False
        self._audio -= self._frames.popleft().is_audio

    def _push(self, message: protocol.ServerMessage) -> None:
        is_audio = isinstance(message, protocol.Audio)
        self._frames.append(_Frame(protocol.encode(message), is_audio))
        self._audio += is_audio
        self._filled.set()

    def _drop_audio(self, count: int) -> None:
        """The oldest so many."""
        kept: deque[_Frame] = deque()
        for frame in self._frames:
            if frame.is_audio and count and (kept or not self._leaving):
                count -= 1
                self._audio -= 1
            else:
                kept.append(frame)
        self._frames = kept


async def _while_there(farewell: Coroutine[Any, Any, None]) -> None:
    """The close follows even if the client has stopped taking frames: its handler waits for one or the other."""
    try:
        async with asyncio.timeout(CLOSING_S):
            await farewell
    except (TimeoutError, OSError):
        logger.info("the client was gone before the close")
