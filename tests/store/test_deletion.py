import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import serve_app.store.journal_file
from serve_app.errors import StoreError
from serve_app.ports import LogEvent
from serve_app.store import epochs, events
from serve_app.store.database import Database
from serve_app.store.deletion import Deletion
from serve_app.store.epochs import Claim
from tests.store.calls import eventful_call
from tests.store.logs import dying_log, journals, running_log, until
from tests.store.samples import agent_turn, started
from tests.store.stored import record, store


def test_a_deleted_call_leaves_no_row_and_no_recording(database_url: str) -> None:
    async def scenario() -> None:
        async with deleting(database_url) as (database, deletion, deleted):
            for each in ("a", "b"):
                await store(database, eventful_call(each))
            before = await rows(database)
            assert await deletion.delete("a") == "deleted"
            assert deleted == ["a"]
            left = await rows(database)
            assert left.pop("epochs of a") == 1  # that nobody may write to it any more
            assert left == {each: count for each, count in before.items() if each.endswith(" of b")}
            assert await deletion.delete("a") == "unknown"

    asyncio.run(scenario())


def test_a_call_that_goes_on_and_one_that_is_none_are_not_deleted(database_url: str) -> None:
    async def scenario() -> None:
        async with deleting(database_url) as (database, deletion, deleted):
            await store(database, [started("live")])
            assert [await deletion.delete(each) for each in ("live", "other", "\0")] == [
                "in progress",
                "unknown",
                "unknown",
            ]
            assert deleted == []
            assert (await rows(database))["conversations of live"] == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("epoch", [0, 1])
def test_what_a_journal_still_holds_of_a_deleted_call_does_not_bring_it_back(database_url: str, epoch: int) -> None:
    async def scenario() -> None:
        async with deleting(database_url) as (database, deletion, _):
            await store(database, eventful_call("c"))
            await deletion.delete("c")
            late = [LogEvent(each.conversation_id, 100 + n, 0.0, each.kind, each.data, epoch) for n, each in LATE]
            assert await store(database, late) == {Claim("c", epoch, "replica")}
            assert await rows(database) == {"epochs of c": 1}

    asyncio.run(scenario())


LATE = list(enumerate([started("c"), agent_turn("c", 1, "Olá!")]))


@pytest.mark.usefixtures("often")
def test_the_journal_of_a_dead_replica_does_not_bring_a_deleted_call_back(
    absent_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was lost with its node, which comes back after the deletion."""
    monkeypatch.setattr(serve_app.store.journal_file, "KEEP_SECONDS", 0.0)

    async def scenario() -> None:
        async with dying_log(absent_url, tmp_path) as log:
            for each in eventful_call("c")[:-1]:
                log.append(each)
        async with deleting(database_url) as (database, deletion, _):
            await store(database, [started("c")])
            async with database.connection() as connection:
                await connection.execute("UPDATE conversations SET status = 'failed'")
            await deletion.delete("c")
            async with running_log(database_url, tmp_path):
                await until(lambda: not journals(tmp_path))
            assert await rows(database) == {"epochs of c": 1}

    asyncio.run(scenario())


def test_a_batch_that_is_being_stored_is_deleted_too(database_url: str) -> None:
    """Its rows are not to be seen yet when the deletion begins."""

    async def scenario() -> None:
        async with deleting(database_url) as (database, deletion, _):
            await store(database, eventful_call("c"))
            claim = Claim("c", 0, "replica")
            async with database.connection() as connection:
                async with connection.transaction():
                    await epochs.hold(connection, [claim])
                    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                    under_way = asyncio.create_task(deletion.delete("c"))
                    await waits_for_a_lock(database)
                    await events.store(connection, {claim: [record(agent_turn("c", 100, "Olá!"))]})
                assert await under_way == "deleted"
            assert await rows(database) == {"epochs of c": 1}

    asyncio.run(scenario())


def test_without_the_recordings_the_call_stays_and_can_be_deleted_later(database_url: str) -> None:
    async def away(_: str) -> None:
        raise StoreError("the recordings are away")

    async def scenario() -> None:
        async with deleting(database_url) as (database, deletion, _):
            await store(database, eventful_call("c"))
            with pytest.raises(StoreError):
                await Deletion(database, away).delete("c")
            assert await deletion.delete("c") == "deleted"

    asyncio.run(scenario())


@asynccontextmanager
async def deleting(url: str) -> AsyncIterator[tuple[Database, Deletion, list[str]]]:
    """The ids of recordings that were deleted come in the list."""
    deleted: list[str] = []

    async def delete_recording(conversation_id: str) -> None:
        deleted.append(conversation_id)

    async with aclosing(Database(url)) as database:
        yield database, Deletion(database, delete_recording), deleted


async def rows(database: Database) -> dict[str, int]:
    """How many there are of each conversation in each table, whatever tables there are."""
    counted: dict[str, int] = {}
    async with database.connection() as connection:
        for table, column in await connection.fetch(_TABLES):
            counts: list[Any] = await connection.fetch(f"SELECT {column}, count(*) FROM {table} GROUP BY 1")
            counted |= {f"{table} of {conversation_id}": count for conversation_id, count in counts}
    return counted


_TABLES = """
SELECT table_name, column_name
FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
    AND (column_name = 'conversation_id' OR (table_name, column_name) = ('conversations', 'id'))
"""


async def waits_for_a_lock(database: Database) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with database.connection() as connection:
        while not await connection.fetchval(waiting):
            pass
