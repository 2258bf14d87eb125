import asyncio
from contextlib import aclosing

import asyncpg
import pytest

from serve_app.errors import StoreError
from serve_app.store.database import Database, RefusedError, _translated
from tests.store.hanging_server import hanging_server

PATIENCE_SECONDS = 10.0


def test_an_absent_server_is_a_store_error_and_not_before_it_is_needed(absent_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(absent_url)) as database:
            with pytest.raises(StoreError, match="PostgreSQL is away"):
                async with database.connection():
                    pass

    asyncio.run(scenario())


def test_all_who_wait_share_one_attempt_and_the_next_comer_begins_another() -> None:
    async def scenario() -> None:
        async with hanging_server() as server, aclosing(Database(server.url)) as database:
            for attempt in (1, 2):
                waiting = [asyncio.create_task(use(database)) for _ in range(5)]
                await asyncio.wait_for(server.reached.wait(), PATIENCE_SECONDS)
                server.hang_up()
                outcomes = await asyncio.gather(*waiting, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [StoreError] * 5
                assert server.connections == attempt

    asyncio.run(scenario())


def test_a_question_is_answered_in_time_or_not_at_all(database_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            assert await database.ask(lambda connection: connection.fetchval("SELECT 42"), PATIENCE_SECONDS) == 42
            with pytest.raises(StoreError, match="no answer"):
                await database.ask(lambda connection: connection.execute("SELECT pg_sleep(60)"), 0.05)
            with pytest.raises(RefusedError):
                await database.ask(lambda connection: connection.execute("SELECT 1/0"), PATIENCE_SECONDS)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "trouble",
    [
        asyncpg.TooManyConnectionsError,
        asyncpg.DiskFullError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.CannotConnectNowError,
        asyncpg.IdleInTransactionSessionTimeoutError,
        TimeoutError,
    ],
)
def test_a_server_in_trouble_is_away_and_has_refused_nothing(trouble: type[Exception]) -> None:
    error = _translated(trouble("secret"))
    assert not isinstance(error, RefusedError)
    assert "secret" not in error.message


def test_whoever_gives_up_waiting_leaves_the_attempt_to_the_others() -> None:
    async def scenario() -> None:
        async with hanging_server() as server, aclosing(Database(server.url)) as database:
            impatient, patient = asyncio.create_task(use(database)), asyncio.create_task(use(database))
            await asyncio.wait_for(server.reached.wait(), PATIENCE_SECONDS)
            impatient.cancel()
            await asyncio.wait([impatient])
            assert impatient.cancelled()
            server.hang_up()
            with pytest.raises(StoreError):
                await patient
            assert server.connections == 1

    asyncio.run(scenario())


def test_closing_ends_an_attempt_that_hangs() -> None:
    async def scenario() -> None:
        async with hanging_server() as server:
            database = Database(server.url)
            waiting = asyncio.create_task(use(database))
            await asyncio.wait_for(server.reached.wait(), PATIENCE_SECONDS)
            await database.aclose()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            assert "database-opening" not in {task.get_name() for task in asyncio.all_tasks()}

    asyncio.run(scenario())


@pytest.mark.parametrize("data", ["secret", "\0 secret", "\ud800 secret"])
def test_refused_data_are_told_from_an_outage_and_not_quoted(database_url: str, data: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            with pytest.raises(RefusedError) as refusal:
                async with database.connection() as connection:
                    await connection.fetchval("SELECT $1::text::integer", data)
            assert "secret" not in str(refusal.value)
            async with database.connection() as connection:
                assert await connection.fetchval("SELECT count(*) FROM turns") == 0

    asyncio.run(scenario())


def test_it_works_where_every_transaction_may_meet_another_session(database_url: str) -> None:
    """What a transaction pooler does to us: prepared statements of an earlier transaction are gone."""

    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            for _ in range(2):
                async with database.connection() as connection:
                    assert await connection.fetchval("SELECT $1::integer", 7) == 7
                    assert (
                        await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == 0
                    )

    asyncio.run(scenario())


async def use(database: Database) -> None:
    async with database.connection():
        pass
