"""Logs that run for a test."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from serve_app.store.database import Database
from serve_app.store.log import JournaledLog


@asynccontextmanager
async def running_log(url: str, root: Path) -> AsyncIterator[JournaledLog]:
    """A replica's, with its journal in `root`."""
    async with aclosing(Database(url)) as database, aclosing(JournaledLog(database, root)) as log:
        log.start()
        yield log


@asynccontextmanager
async def dying_log(url: str, root: Path) -> AsyncIterator[JournaledLog]:
    """One whose process is killed at the end."""
    async with aclosing(Database(url)) as database:
        log = JournaledLog(database, root)
        log.start()
        yield log
        await _die(log)


async def _die(log: JournaledLog) -> None:
    """What a SIGKILL leaves of a log: its files, and locks that are free."""
    for task in log._tasks:
        task.cancel()
    await asyncio.gather(*log._tasks, return_exceptions=True)
    assert log._folder is not None
    for folder in [log._folder, *(orphan.folder for orphan in log._adoption._orphans.values())]:
        os.close(folder.lock)
    for file in log._files.values():
        file.close()


def journals(root: Path) -> list[Path]:
    """Of every replica of the node."""
    return list(root.rglob("*.log"))


async def in_order_of_storage(url: str, conversation_id: str) -> list[int]:
    """Sequence numbers by their place in the file, which is the order of insertion while nothing was deleted."""
    rows = await fetch(url, "SELECT sequence FROM events WHERE conversation_id = $1 ORDER BY ctid", conversation_id)
    return [sequence for (sequence,) in rows]


async def fetch(url: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def until(seen: Callable[[], Awaitable[bool] | bool], *, seconds: float = 60.0) -> None:
    """Ask again and again."""
    async with asyncio.timeout(seconds):
        for _ in count():
            answer = seen()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.02)
