import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager

from serve_app.store.database import Database
from serve_app.store.deletion import Deletion
from serve_app.store.retention import BATCH, Retention
from tests.store.calls import eventful_call
from tests.store.samples import started
from tests.store.stored import store

_AGE = "UPDATE conversations SET ended_at = now() - make_interval(days => $2, secs => -60) WHERE id = $1"


def test_calls_are_deleted_when_their_agent_keeps_them_no_longer(database_url: str) -> None:
    """Of the given age in days, less a minute."""
    ages = {"old": 31, "young": 30, "of sales": 31, "of nobody": 31, "live": 0}

    async def scenario() -> tuple[int, set[str]]:
        async with aclosing(Database(database_url)) as database:
            for name, age in ages.items():
                agent = {"of sales": "sales", "of nobody": "gone"}.get(name, "default")
                await store(database, [started(name)] if name == "live" else eventful_call(name, agent_id=agent))
                async with database.connection() as connection:
                    if age:
                        await connection.execute(_AGE, name, age)
            return await retention(database, {"default": 30, "sales": 60}).sweep(), await left(database)

    assert asyncio.run(scenario()) == (1, {"young", "of sales", "of nobody", "live"})


def test_no_more_are_left_over_than_a_batch_holds(database_url: str) -> None:
    async def scenario() -> tuple[int, set[str]]:
        async with aclosing(Database(database_url)) as database:
            for number in range(BATCH + 3):
                call = eventful_call(f"c{number}")
                await store(database, [call[0], call[-1]])
            return await retention(database, {"default": 0}).sweep(), await left(database)

    assert asyncio.run(scenario()) == (BATCH + 3, set())


def test_while_one_process_sweeps_others_do_not(database_url: str) -> None:
    async def scenario() -> tuple[int, int]:
        async with aclosing(Database(database_url)) as database:
            await store(database, eventful_call("c"))
            begun, go_on = asyncio.Event(), asyncio.Event()

            async def slow(_: str) -> None:
                begun.set()
                await go_on.wait()

            sweeper = Retention(database, Deletion(database, slow), {"default": 0})
            first = asyncio.create_task(sweeper.sweep())
            await begun.wait()
            second = await asyncio.wait_for(sweeper.sweep(), 30)
            go_on.set()
            return await first, second

    assert asyncio.run(scenario()) == (1, 0)


def test_deletions_are_remembered_for_some_weeks(database_url: str) -> None:
    async def scenario() -> set[str]:
        async with aclosing(Database(database_url)) as database:
            for name in ("lately", "long ago", "kept"):
                await store(database, eventful_call(name))
            for name in ("lately", "long ago"):
                await deletion(database).delete(name)
            async with database.connection() as connection:
                age = "UPDATE epochs SET deleted_at = now() - interval '31 days' WHERE conversation_id = 'long ago'"
                await connection.execute(age)
                await retention(database, {}).sweep()
                return {row[0] for row in await connection.fetch("SELECT conversation_id FROM epochs")}

    assert asyncio.run(scenario()) == {"lately", "kept"}


def test_without_the_database_it_is_tried_again_later(absent_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(absent_url)) as database:
            with warning() as told:
                running = asyncio.create_task(retention(database, {"default": 0}).run())
                assert "wait to be deleted: PostgreSQL is away" in await told
            assert not running.done()
            running.cancel()

    asyncio.run(scenario())


@contextmanager
def warning() -> Iterator[asyncio.Future[str]]:
    """The first one of the module's."""
    told = asyncio.get_running_loop().create_future()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not told.done():
                told.set_result(record.getMessage())

    ear = Ear(logging.WARNING)
    logging.getLogger(Retention.__module__).addHandler(ear)
    try:
        yield told
    finally:
        logging.getLogger(Retention.__module__).removeHandler(ear)


def retention(database: Database, days: Mapping[str, int]) -> Retention:
    return Retention(database, deletion(database), days)


def deletion(database: Database) -> Deletion:
    async def nothing_recorded(_: str) -> None:
        pass

    return Deletion(database, nothing_recorded)


async def left(database: Database) -> set[str]:
    async with database.connection() as connection:
        return {row["id"] for row in await connection.fetch("SELECT id FROM conversations")}
