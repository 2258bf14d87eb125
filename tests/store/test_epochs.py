import asyncio
from contextlib import AsyncExitStack, aclosing

import asyncpg

from serve_app.store import epochs, events
from serve_app.store.database import Database
from serve_app.store.epochs import Claim
from tests.store.logs import fetch, until
from tests.store.samples import event, started
from tests.store.stored import record

OLD, NEW = Claim("c", 0, "old"), Claim("c", 1, "new")


def test_of_those_who_take_over_at_once_one_wins(database_url: str) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            databases = [await stack.enter_async_context(aclosing(Database(database_url))) for _ in range(4)]
            for epoch in range(1, 6):
                claims = [Claim("c", epoch, f"replica {each}") for each in range(8)]
                won = await asyncio.gather(*(taken(databases[i % 4], claim) for i, claim in enumerate(claims)))
                assert sum(won) == 1
            assert await fetch(database_url, "SELECT epoch FROM epochs") == [(5,)]

    asyncio.run(scenario())


def test_an_answer_that_got_lost_may_be_asked_for_again(database_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            assert [await taken(database, claim) for claim in (NEW, NEW, OLD)] == [True, True, False]

    asyncio.run(scenario())


def test_an_older_epoch_stores_nothing_and_the_others_of_its_batch_are_stored(database_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            assert await events.store(connection, {OLD: [record(started("c"))]}) == set()
            assert await epochs.take_over(connection, NEW)
            other = Claim("d", 0, "old")
            batch = {OLD: [record(event("c", 1, "feedback", score="like"))], other: [record(started("d"))]}
            assert await events.store(connection, batch) == {OLD}
            assert await epochs.lost(connection, [OLD, other, NEW]) == {OLD}
            assert await epochs.current(connection, "c") == 1
            assert await epochs.current(connection, "nobodys") == 0
        assert await fetch(database_url, "SELECT conversation_id, sequence FROM events ORDER BY 1") == [
            ("c", 0),
            ("d", 0),
        ]

    asyncio.run(scenario())


def test_a_takeover_that_postgres_was_away_from_is_told_by_the_first_batch(database_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            first = [record(started("c"))]
            assert await events.store(connection, {OLD: first}) == set()
            assert await events.store(connection, {NEW: first, OLD: first}) == {OLD}
            same = Claim("c", 1, "a third")
            assert await events.store(connection, {same: first}) == {same}
            assert await epochs.lost(connection, [same]) == {same}

    asyncio.run(scenario())


def test_a_takeover_waits_for_a_batch_and_the_next_batch_is_refused(database_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            async with connection.transaction():
                assert await epochs.hold(connection, [OLD]) == {OLD}
                taking = asyncio.create_task(taken(database, NEW))
                await until(lambda: waits_for_a_lock(database_url))
                assert not taking.done()
            assert await taking
            async with connection.transaction():
                assert await epochs.hold(connection, [OLD]) == set()

    asyncio.run(scenario())


def test_a_replica_that_is_stopped_in_a_batch_holds_nobody_up_for_long(database_url: str) -> None:
    async def scenario() -> None:
        frozen = await asyncpg.connect(database_url)
        async with aclosing(Database(database_url)) as database:
            assert await taken(database, OLD)
            transaction = frozen.transaction()
            await transaction.start()
            await epochs.hold(frozen, [OLD])  # and then nothing: its process is stopped
            assert await taken(database, NEW)
        frozen.terminate()

    asyncio.run(scenario())


async def taken(database: Database, claim: Claim) -> bool:
    async with database.connection() as connection:
        return await epochs.take_over(connection, claim)


async def waits_for_a_lock(url: str) -> bool:
    return bool(await fetch(url, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
