"""A TCP line between a client and the server that a test can break, as a network does: both ends get a reset."""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

READ_AT_MOST = 65536
_NO_LINGER = struct.pack("ii", 1, 0)  # what is closed now is reset, and what was not sent is lost


class BreakableLine:
    """`async with BreakableLine(port) as line`: what talks to `line.url` talks to the server at that port of 127.0.0.1,
    until `break_off`. The next connection is whole again."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._ends: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.break_off()
        self._listening.close()
        await self._listening.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    def break_off(self) -> None:
        for end in self._ends:
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            end.transport.abort()

    async def _connect(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends = {to_client, to_server}
        self._ends |= ends
        try:
            await asyncio.gather(_forward(from_client, to_server), _forward(from_server, to_client))
        finally:
            self._ends -= ends
            for end in ends:
                end.close()


async def _forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(READ_AT_MOST):
            target.write(data)
            await target.drain()
    except OSError:
        pass  # broken off
    target.close()
