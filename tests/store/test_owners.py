import asyncio
from contextlib import aclosing

import pytest

import serve_app.store.owners
from serve_app.store import owners
from serve_app.store.database import Database
from tests.store.logs import fetch, until
from tests.store.samples import interrupted_call, started
from tests.store.stored import store


def test_conversations_of_a_replica_that_is_not_seen_any_more_have_failed(database_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            for name in ("alive", "silent", "silent-too"):
                await owners.heartbeat(connection, name)
            await store(database, [started("a")], owner="alive")
            await store(database, [started("b")], owner="silent")
            await store(database, interrupted_call("c"), owner="silent-too")
            await store(database, [started("d")], owner="never-seen")
            assert await owners.end_lost(connection) == 1
            await connection.execute("UPDATE replicas SET seen_at = now() - interval '121 s' WHERE name LIKE 'silent%'")
            assert await owners.end_lost(connection) == 1
            assert await owners.end_lost(connection) == 0
        rows = await fetch(database_url, "SELECT id, status, termination_reason FROM conversations ORDER BY id")
        assert rows == [
            ("a", "in-progress", None),
            ("b", "failed", "lost with its node"),
            ("c", "done", "user hung up"),
            ("d", "failed", "lost with its node"),
        ]

    asyncio.run(scenario())


def test_how_it_really_ended_is_told_should_the_node_come_back(database_url: str) -> None:
    async def scenario() -> None:
        first, *others = interrupted_call("c")
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            await store(database, [first], owner="silent")
            assert await owners.end_lost(connection) == 1
            assert await store(database, others, owner="silent") == set()
        assert await fetch(database_url, "SELECT status, error FROM conversations") == [("done", None)]

    asyncio.run(scenario())


def test_a_replica_is_seen_and_sees_the_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("HEARTBEAT_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(serve_app.store.owners, name, 0.01)
    monkeypatch.setattr(serve_app.store.owners, "LOST_AFTER_SECONDS", 0.2)

    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            await store(database, [started("mine")], owner="me")
            await store(database, [started("lost")], owner="silent")
            task = asyncio.create_task(owners.stay_known(database, "me"))

            async def is_over() -> bool:
                rows = await fetch(database_url, "SELECT id FROM conversations WHERE status = 'failed'")
                return rows == [("lost",)]

            await until(is_over)
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(scenario())
    assert "1 conversations were lost with their node" in caplog.text
