import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import asyncpg
import pytest

from serve_app.errors import StoreError
from serve_app.store.database import Database, RefusedError, _translated

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


class HangingServer:
    """Takes connections and says nothing, like a PostgreSQL whose disk has stopped, until it hangs up."""

    def __init__(self) -> None:
        self.connections = 0
        self.reached = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self.url = ""

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self.reached.set()

    def hang_up(self) -> None:
        self.reached.clear()
        while self._writers:
            self._writers.pop().close()


@asynccontextmanager
async def hanging_server() -> AsyncIterator[HangingServer]:
    hanging = HangingServer()
    server = await asyncio.start_server(hanging.answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        hanging.url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        yield hanging
        hanging.hang_up()
