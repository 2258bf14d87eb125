import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from serve_app.store import embedded
from serve_app.store.database import Database
from serve_app.store.log import RECORD_BYTES, PostgresLog
from tests.store.samples import audio, event, interrupted_call, started, user_turn

PATIENCE_SECONDS = 60.0


def test_events_of_many_calls_are_stored_in_order(database_url: str) -> None:
    async def scenario() -> None:
        async with running_log(database_url) as log:
            for sequence in range(500):
                for conversation_id in ("a", "b", "c"):
                    log.append(audio(conversation_id, sequence))
            await log.flush()
            assert await in_order_of_storage(database_url, "a") == list(range(500))
            assert await in_order_of_storage(database_url, "c") == list(range(500))

    asyncio.run(scenario())


def test_closing_stores_what_is_queued_and_leaves_no_task(database_url: str) -> None:
    async def scenario() -> None:
        async with running_log(database_url) as log:
            for each in interrupted_call("c"):
                log.append(each)
        assert await in_order_of_storage(database_url, "c") == list(range(8))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_an_outage_loses_nothing_and_ends_by_itself(server_folder: Path) -> None:
    async def scenario(server: embedded.EmbeddedPostgres) -> embedded.EmbeddedPostgres:
        async with running_log(server.url) as log:
            for sequence in range(100):
                log.append(audio("c", sequence))
            await log.flush()

            await asyncio.to_thread(server.stop)
            with heard("storing again") as back, heard("are kept") as away:
                for sequence in range(100, 1000):
                    log.append(audio("c", sequence))
                await asyncio.wait_for(away.wait(), PATIENCE_SECONDS)
                server = await asyncio.to_thread(embedded.start, server_folder)
                await asyncio.wait_for(back.wait(), PATIENCE_SECONDS)
            await log.flush()
        assert await in_order_of_storage(server.url, "c") == list(range(1000))
        return server

    asyncio.run(scenario(embedded.start(server_folder))).stop()


def test_a_process_starts_without_the_database_and_flushes_for_a_bounded_time(absent_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(absent_url)) as database:
            log = PostgresLog(database)
            log.start()
            log.append(started("c"))
            await asyncio.wait_for(log.flush(), PATIENCE_SECONDS)

    asyncio.run(scenario())


def test_a_full_queue_turns_audio_spans_away_first_and_says_so_and_how_many(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            log = PostgresLog(database, queue_bytes=20 * (RECORD_BYTES + 100))
            for sequence in range(30):
                log.append(audio("c", sequence))
            for sequence in range(30, 100):
                log.append(event("c", sequence, "interruption", event_id=1, turn=1))
            async with aclosing(log):
                log.start()
                await log.flush()
                stored = await in_order_of_storage(database_url, "c")
                log.append(audio("c", 100))  # there is room again
            spans = stored.index(30)
            assert 0 < spans < 30
            assert stored == [*range(spans), *range(30, 30 + len(stored) - spans)]
            assert await in_order_of_storage(database_url, "c") == [*stored, 100]
            full, counted = (record.getMessage() for record in caplog.records if record.levelname == "ERROR")
            assert "full" in full
            assert f"{100 - len(stored)} events that found no room" in counted

    asyncio.run(scenario())


def test_one_event_that_cannot_be_stored_costs_only_itself(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running_log(database_url) as log:
            log.append(started("c"))
            for sequence in range(1, 100):
                log.append(audio("c", sequence))
            log.append(event("c", 100, "ended", reason="", close_code=1000, duration_secs=1.0, status="secret"))
            log.append(event("c", 101, "feedback", event_id=1, score=object()))
            log.append(event("c", 102, "feedback", event_id=1, score="like"))
            await log.flush()
            assert await in_order_of_storage(database_url, "c") == [*range(100), 102]

    asyncio.run(scenario())
    assert "secret" not in caplog.text
    assert caplog.text.count("dropped event") == 2


@pytest.mark.parametrize(("said", "stored"), [("a\0b", "a\ufffdb"), ("olá 👋", "olá 👋")])
def test_text_that_postgres_cannot_hold_is_replaced(database_url: str, said: str, stored: str) -> None:
    async def scenario() -> None:
        async with running_log(database_url) as log:
            log.append(user_turn("c", 0, said))
            await log.flush()
            assert await fetch(database_url, "SELECT message FROM turns") == [(stored,)]

    asyncio.run(scenario())


@asynccontextmanager
async def running_log(url: str) -> AsyncIterator[PostgresLog]:
    async with aclosing(Database(url)) as database, aclosing(PostgresLog(database)) as log:
        log.start()
        yield log


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


class heard(logging.Handler):  # noqa: N801 - reads as a statement
    """An event that is set when the log says these words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words
        self._said = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self._said.set()

    def __enter__(self) -> asyncio.Event:
        logging.getLogger("serve_app.store.log").addHandler(self)
        return self._said

    def __exit__(self, *_: object) -> None:
        logging.getLogger("serve_app.store.log").removeHandler(self)
