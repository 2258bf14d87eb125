"""A PostgreSQL that takes connections and never answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["HangingServer", "hanging_server"]


class HangingServer:
    """Takes connections and says nothing, like a PostgreSQL whose disk has stopped, until it hangs up."""

    def __init__(self) -> None:
        self.connections = 0
        self.reached = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self.url = ""

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self.reached.set()

    def hang_up(self) -> None:
        self.reached.clear()
        while self._writers:
            self._writers.pop().close()


@asynccontextmanager
async def hanging_server() -> AsyncIterator[HangingServer]:
    hanging = HangingServer()
    server = await asyncio.start_server(hanging.answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        hanging.url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        yield hanging
        hanging.hang_up()
