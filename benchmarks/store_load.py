"""The store under load: thousands of typed conversations, many at a time, then listings and records among many more.

    python -m benchmarks.store_load [--conversations 5000] [--at-once 100] [--stored 100000] [--requests 300]

The conversations go through the real server, three turns each as fast as they are answered, and everything that a
caller was told must be stored then. Copies of them, made in the database a day older each, fill it up. "p50" and "p95":
ms of a whole HTTP request, one after another over one connection, through HAProxy and the gateway; each of a list takes
the next page of it, while there is one. Fails if something is missing or a p95 is 50 ms or more.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import numpy as np

from serve_app.store import embedded
from tests.acceptance.server import Server, running_server
from tests.soak.call import Call, TurnedAwayError
from tests.soak.callers import PHRASES
from tests.soak.multiply import multiply
from tests.soak.roomy import roomy_config

TURNS = 3
TRIES_AGAIN_S = 1.0
STORED_WITHIN_S = 60.0
BAR_MS = 50.0
CONVERSATIONS = "/v1/convai/conversations"
LISTINGS: dict[str, dict[str, Any]] = {
    "list": {},
    "list, 100 a page": {"page_size": 100},
    "list, of an agent": {"agent_id": "default"},
    "list, oldest first": {"sort_direction": "asc"},
    "list, that failed": {"exclude_statuses": ["done", "in-progress"]},
    "list, of over an hour": {"call_duration_min_secs": 3600},
    "list, with a word": {"search": "saldo"},
}
RECORDS = {"get": CONVERSATIONS + "/{}", "metrics": "/v1/conversations/{}/metrics"}


class Waits(NamedTuple):
    name: str
    p50_ms: float
    p95_ms: float


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the store under load.")
    parser.add_argument("--conversations", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=300, help="of each kind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        database = embedded.start(Path(folder) / "postgres")
        try:
            settings = {"DATABASE_URL": database.url}
            with running_server(Path(folder), config=roomy_config(Path(folder)), **settings) as server:
                return asyncio.run(measure(server, database.url, arguments))
        finally:
            database.stop()


async def measure(server: Server, database_url: str, wanted: argparse.Namespace) -> int:
    begun = time.perf_counter()
    callers = Callers(server.ws_url, wanted.conversations)
    await callers.call(wanted.at_once)
    seconds = time.perf_counter() - begun
    connection = await asyncpg.connect(database_url, command_timeout=3600)
    missing, behind_s = await until_stored(connection, wanted.conversations, callers.told)
    rate = f"{seconds:.0f} s, {wanted.conversations / seconds:.0f} a second"
    print(f"{wanted.conversations} conversations of {TURNS} turns, {wanted.at_once} at a time: {rate}")
    print(f"turned away, to try again: {callers.turned_away}")
    print(f"all stored {behind_s:.2f} s after the last; {missing} turns missing", flush=True)
    await multiply(connection, wanted.stored // wanted.conversations)
    stored, size = await connection.fetchrow("SELECT count(*), pg_database_size(current_database()) FROM conversations")
    print(f"{stored} stored, with the copies: {size / stored / 1000:.1f} kB each", flush=True)
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM conversations ORDER BY md5(id) LIMIT 1000")]
    await connection.close()
    slow = False
    print(f"{'':24} {'p50':>6} {'p95':>6}")
    async for waits in read(server, ids, wanted.requests):
        print(f"{waits.name:24} {waits.p50_ms:6.1f} {waits.p95_ms:6.1f}", flush=True)
        slow |= waits.p95_ms >= BAR_MS
    return 1 if slow or missing else 0


class Callers:
    """So many at once, one call after another. `told`: the turns that they were told of, the agent's and theirs."""

    def __init__(self, ws_url: str, conversations: int) -> None:
        self.told = 0
        self.turned_away = 0
        self._ws_url = ws_url
        self._left = iter(range(conversations))

    async def call(self, at_once: int) -> None:
        await asyncio.gather(*(self._call_on() for _ in range(at_once)))

    async def _call_on(self) -> None:
        for number in self._left:
            while not await self._called(number):
                self.turned_away += 1
                await asyncio.sleep(TRIES_AGAIN_S)

    async def _called(self, number: int) -> bool:
        try:
            async with Call(self._ws_url, typed=True) as call:
                for turn in range(TURNS):
                    await call.turn(PHRASES[(number + turn) % len(PHRASES)])
        except TurnedAwayError:
            return False
        self.told += 1 + 2 * TURNS  # the greeting, and of each turn two
        return True


async def until_stored(connection: asyncpg.Connection, conversations: int, told: int) -> tuple[int, float]:
    """How many of the turns that callers were told of are missing once all conversations are over, and how many seconds
    that took."""
    begun = time.perf_counter()
    while await connection.fetchval("SELECT count(*) FROM conversations WHERE status = 'done'") < conversations:
        if time.perf_counter() - begun > STORED_WITHIN_S:
            break
        await asyncio.sleep(0.05)
    stored = await connection.fetchval("SELECT count(*) FROM turns WHERE message <> ''")
    return told - stored, time.perf_counter() - begun


async def read(server: Server, ids: Sequence[str], requests: int) -> AsyncIterator[Waits]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for name, query in LISTINGS.items():
            yield _waits(name, [took async for took in _pages(client, query, requests)])
        for name, path in RECORDS.items():
            yield _waits(name, [(await _get(client, path.format(id)))[0] for id in ids[:requests]])


async def _pages(client: httpx.AsyncClient, query: dict[str, Any], requests: int) -> AsyncIterator[float]:
    cursor: dict[str, str] = {}
    for _ in range(requests):
        seconds, page = await _get(client, CONVERSATIONS, {**query, **cursor})
        cursor = {"cursor": page["next_cursor"]} if page["has_more"] else {}
        yield seconds


async def _get(client: httpx.AsyncClient, path: str, query: dict[str, Any] | None = None) -> tuple[float, Any]:
    begun = time.perf_counter()
    response = await client.get(path, params=query)
    seconds = time.perf_counter() - begun
    response.raise_for_status()
    return seconds, response.json()


def _waits(name: str, seconds: list[float]) -> Waits:
    p50, p95 = 1000 * np.percentile(seconds, (50, 95))
    return Waits(name, p50, p95)


if __name__ == "__main__":
    sys.exit(main())
