import asyncio

import asyncpg
import pytest

from serve_app.store.migrations import migrate


def test_of_processes_starting_at_once_one_migrates_and_the_others_wait(database_url: str) -> None:
    async def scenario() -> None:
        connections = [await asyncpg.connect(database_url) for _ in range(4)]
        try:
            applied = await asyncio.gather(*map(migrate, connections))
            *waited, worked = sorted(applied, key=len)
            assert waited == [[], [], []]
            assert worked[0] == "0001_conversations.sql"
            assert await migrate(connections[0]) == []
            history = await connections[0].fetch("SELECT version, name FROM schema_migrations ORDER BY version")
            assert [tuple(row) for row in history] == list(enumerate(worked, start=1))
            assert await connections[0].fetchval("SELECT count(*) FROM conversations") == 0
        finally:
            for connection in connections:
                await connection.close()

    asyncio.run(scenario())


def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        try:
            await connection.execute("CREATE TABLE turns ()")
            with pytest.raises(asyncpg.DuplicateTableError):
                await migrate(connection)
            assert await connection.fetchval("SELECT to_regclass('conversations')") is None
            await connection.execute("DROP TABLE turns")
            assert (await migrate(connection))[0] == "0001_conversations.sql"
        finally:
            await connection.close()

    asyncio.run(scenario())
