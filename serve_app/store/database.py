"""The connection pool, and the one place where the database's errors become ours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from serve_app.errors import StoreError
from serve_app.store.migrations import migrate

CONNECTIONS = 4
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 10.0
CLOSE_SECONDS = 5.0

T = TypeVar("T")

# SQLSTATE classes: data exception, integrity constraint violation.
_REFUSALS = ("22", "23")


class RefusedError(StoreError):
    """The database is there and will never take these data."""


class Database:
    """A PostgreSQL database, connected to and migrated on first use, so that a process starts without it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opening: asyncio.Task[asyncpg.Pool] | None = None  # under way, or done: never one that has failed
        self._asked: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool. Raises StoreError for whatever fails in its use: RefusedError if the data did."""
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
                yield connection
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as e:
            raise _translated(e) from e

    async def ask(self, question: Callable[[asyncpg.Connection], Awaitable[T]], seconds: float) -> T:
        """The answer, for somebody who waits for it. Raises StoreError, also when it takes longer.

        A connection whose query is broken off is given back late where PostgreSQL hangs: nobody waits for that.
        """
        asking = asyncio.create_task(self._ask(question), name="database-question")
        self._asked.add(asking)
        asking.add_done_callback(self._asked.discard)
        try:
            done, _ = await asyncio.wait([asking], timeout=seconds)
        finally:
            asking.cancel()  # does nothing to one that is done
        if not done:
            raise StoreError(f"PostgreSQL is away: no answer in {seconds:g} s")
        return asking.result()

    async def _ask(self, question: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        async with self.connection() as connection:
            return await question(connection)

    async def aclose(self) -> None:
        """Close the connections, once given back, or break them off after CLOSE_SECONDS. None may be asked for then."""
        await asyncio.gather(*self._asked, return_exceptions=True)
        if self._opening is None:
            return
        opening = self._opening
        opening.cancel()  # does nothing to one that is done
        await asyncio.wait([opening])
        if _failed(opening):
            return
        pool = opening.result()
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()

    async def _opened(self) -> asyncpg.Pool:
        """One attempt serves all who wait: one each, in a row, would hold up the last for long while PostgreSQL hangs.

        Shielded, since whoever gives up waiting must not end it for the others.
        """
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="database-opening")
            self._opening.add_done_callback(self._forget_failure)
        return await asyncio.shield(self._opening)

    def _forget_failure(self, opening: asyncio.Task[asyncpg.Pool]) -> None:
        if _failed(opening):
            self._opening = None

    async def _open(self) -> asyncpg.Pool:
        pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=CONNECTIONS,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            statement_cache_size=0,  # a pooler in between hands each transaction to another server connection
        )
        try:
            async with pool.acquire() as connection:
                await migrate(connection)
        except BaseException:
            pool.terminate()
            raise
        return pool


def _failed(opening: asyncio.Task[asyncpg.Pool]) -> bool:
    return opening.cancelled() or opening.exception() is not None


def _translated(error: Exception) -> StoreError:
    """Never the error's own text: PostgreSQL quotes the offending data in it."""
    sqlstate = getattr(error, "sqlstate", None)
    name = f"{type(error).__name__} {sqlstate}" if sqlstate else type(error).__name__
    if sqlstate and sqlstate.startswith(_REFUSALS):
        return RefusedError(f"PostgreSQL refused the data: {name}")
    return StoreError(f"PostgreSQL is away: {name}")
