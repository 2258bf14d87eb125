"""What is watched while a server is attacked: a conversation that goes on, the gateway's memory, the logs."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection

from tests.acceptance.server import Server
from tests.acceptance.test_bad_input import conversation, conversations_open, opened

BETWEEN_TURNS_S = 0.8  # so that something is heard of each answer
ANSWERED_WITHIN_S = 10.0
GONE_WITHIN_S = 10.0

COMPLAINTS = ("unexpected", "Traceback", "dropped event")


class Turn(NamedTuple):
    """Seconds from typed words until they come back, and until the voice answers them."""

    transcript: float
    voice: float


class Witness:
    """A conversation of typed turns, each of other words. Raises whatever a turn without its answer raises."""

    def __init__(self, ws: ClientConnection, random: Random) -> None:
        self.turns: list[Turn] = []
        self._ws = ws
        self._random = random

    async def take_turns(self, count: int) -> None:
        for _ in range(count):
            await self._take_turn()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Turns are taken for as long as the block lasts."""
        talking = asyncio.create_task(self._go_on())
        try:
            yield
            assert not talking.done(), talking.exception()
        finally:
            talking.cancel()

    async def _go_on(self) -> None:
        while True:
            await self._take_turn()

    async def _take_turn(self) -> None:
        words = str(self._random.randrange(100, 1000))
        begun = time.perf_counter()
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            await self._ws.send(json.dumps({"type": "user_message", "text": words}))
            assert (await self.next_of("user_transcript"))["user_transcript"] == words
            transcript = time.perf_counter()
            answer = (await self.next_of("agent_response"))["agent_response"]
            assert answer.endswith(f"{words}.")  # numbers are echoed, with those before whose echo was not heard
            assert (await self.next_of("audio"))["audio_base_64"]
        self.turns.append(Turn(transcript - begun, time.perf_counter() - begun))
        await asyncio.sleep(BETWEEN_TURNS_S)

    async def next_of(self, kind: str) -> dict[str, Any]:
        """The fields of the next message of this type. Pings are answered on the way."""
        while True:
            event = json.loads(await self._ws.recv())
            fields: dict[str, Any] = next(value for name, value in event.items() if name != "type")
            if event["type"] == "ping":
                await self._ws.send(json.dumps({"type": "pong", "event_id": fields["event_id"]}))
            if event["type"] == kind:
                return fields


@asynccontextmanager
async def witness(server: Server, random: Random) -> AsyncIterator[Witness]:
    """With the offline agent."""
    async with conversation(server, max_queue=None) as ws:
        await opened(ws)
        beside = Witness(ws, random)
        await beside.next_of("audio")  # it has been greeted
        yield beside


async def until_open(server: Server, conversations: int) -> None:
    """Until so many are."""
    async with asyncio.timeout(GONE_WITHIN_S):
        while await asyncio.to_thread(conversations_open, server) != conversations:
            pass  # each look takes a round trip


def gateway_mb(server: Server) -> float:
    """Resident memory of the gateway's replica."""
    [folder] = [Path(f"/proc/{pid}") for pid in server.pids() if _is_gateway(pid)]
    pages = int((folder / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _is_gateway(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().startswith("ray::ServeReplica:hello:Gateway")
    except OSError:
        return False  # gone


class Logs:
    """What the server writes from now on, wherever it writes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sizes = {path: path.stat().st_size for path in self._files()}

    def lines(self) -> Iterator[str]:
        for path in self._files():
            yield from self._new(path)

    def complaints(self) -> list[str]:
        """Of ours: processes of Ray's own complain of each other."""
        ours = [path for path in self._files() if path.parent.name == "serve" or path.name.startswith("worker-")]
        return [line for path in ours for line in self._new(path) if any(words in line for words in COMPLAINTS)]

    def _files(self) -> list[Path]:
        folder = self._server.data_dir
        written = [path for path in (folder / "run").resolve().rglob("logs/**/*") if path.is_file()]
        return [*written, self._server.output, folder / "postgres" / "pgdata" / "log"]

    def _new(self, path: Path) -> list[str]:
        with path.open(encoding="utf-8", errors="replace") as file:
            file.seek(self._sizes.get(path, 0))
            return file.readlines()
