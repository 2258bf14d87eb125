"""What waits to be sent to one caller, and the goodbye."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from serve_app.conversation import protocol
from serve_app.errors import Unavailable

logger = logging.getLogger(__name__)

LONGEST_BACKLOG = 1024
"""Frames, about 40 s of audio: a client that takes none for so long is gone."""
CLOSING_S = 2.0
"""For the last frames, and for the close, to a client that may be gone."""


class Socket(Protocol):
    """What a conversation needs of a WebSocket. Both raise OSError when the client is gone."""

    async def send_text(self, data: str) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


class Outbox:
    def __init__(self) -> None:
        self._frames: asyncio.Queue[str] = asyncio.Queue()

    def put(self, message: protocol.ServerMessage) -> None:
        """Raises Unavailable when the client takes nothing."""
        if self._frames.qsize() >= LONGEST_BACKLOG:
            raise Unavailable("the client takes no messages")
        self._frames.put_nowait(protocol.encode(message))

    async def send(self, socket: Socket) -> None:
        """Send what comes, for ever. Raises OSError when the client is gone."""
        while True:
            await socket.send_text(await self._frames.get())

    async def close(self, socket: Socket, last: protocol.ServerMessage | None, code: int, reason: str) -> None:
        """Send what is left and `last`, then close. Never raises: the client may be gone, or take nothing more."""
        if last:
            self._frames.put_nowait(protocol.encode(last))
        await _while_there(self._send_rest(socket))
        await _while_there(socket.close(code, reason))

    async def _send_rest(self, socket: Socket) -> None:
        while not self._frames.empty():
            await socket.send_text(self._frames.get_nowait())


async def _while_there(farewell: Coroutine[Any, Any, None]) -> None:
    """The close follows even if the client has stopped taking frames: its handler waits for one or the other."""
    try:
        async with asyncio.timeout(CLOSING_S):
            await farewell
    except (TimeoutError, OSError):
        logger.info("the client was gone before the close")
