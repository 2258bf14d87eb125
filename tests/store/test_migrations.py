import asyncio

import asyncpg

from serve_app.store.migrations import migrate


def test_of_processes_starting_at_once_one_migrates_and_the_others_wait(database_url: str) -> None:
    async def scenario() -> None:
        connections = [await asyncpg.connect(database_url) for _ in range(4)]
        try:
            applied = await asyncio.gather(*map(migrate, connections))
            assert sorted(map(len, applied)) == [0, 0, 0, 1]
            assert await migrate(connections[0]) == []
            history = await connections[0].fetch("SELECT version, name FROM schema_migrations")
            assert [tuple(row) for row in history] == [(1, "0001_conversations.sql")]
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
            try:
                await migrate(connection)
            except asyncpg.DuplicateTableError:
                pass
            assert await connection.fetchval("SELECT to_regclass('conversations')") is None
            await connection.execute("DROP TABLE turns")
            assert await migrate(connection) == ["0001_conversations.sql"]
        finally:
            await connection.close()

    asyncio.run(scenario())
