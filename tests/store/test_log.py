import asyncio
from pathlib import Path

import pytest

import serve_app.store.log
from serve_app.errors import ConfigurationError
from serve_app.ports import LogEvent
from serve_app.store.database import Database
from serve_app.store.log import JournaledLog
from tests.store.logs import fetch, in_order_of_storage, journals, running_log, until
from tests.store.samples import audio, event, interrupted_call, started, user_turn
from tests.store.small_disk import fill, small_disk

__all__ = ["small_disk"]

PATIENCE_SECONDS = 60.0

pytestmark = pytest.mark.usefixtures("often")


def test_events_of_many_calls_are_stored_in_order(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_log(database_url, tmp_path) as log:
            for sequence in range(500):
                for conversation_id in ("a", "b", "c"):
                    log.append(audio(conversation_id, sequence))
            await log.flush()
            assert await in_order_of_storage(database_url, "a") == list(range(500))
            assert await in_order_of_storage(database_url, "c") == list(range(500))

    asyncio.run(scenario())


def test_closing_stores_what_is_left_and_leaves_neither_task_nor_file(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_log(database_url, tmp_path) as log:
            for each in interrupted_call("c"):
                log.append(each)
        assert await in_order_of_storage(database_url, "c") == list(range(8))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
    assert [path.name for path in tmp_path.rglob("*")] == ["epochs"]


def test_a_live_conversation_is_whole_on_the_disk_and_gone_from_it_when_it_is_over(
    database_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_log(database_url, tmp_path) as log:
            *live, end = interrupted_call("c")
            for each in live:
                log.append(each)
            (file,) = journals(tmp_path)
            assert file.read_bytes().count(b"\n") == 7
            await log.flush()
            assert file.read_bytes().count(b"\n") == 7
            log.append(end)
            await until(lambda: is_gone(file))

    asyncio.run(scenario())


def test_a_process_starts_without_the_database_and_flushes_for_a_bounded_time(
    absent_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_app.store.log, "DRAIN_SECONDS", 0.0)

    async def scenario() -> None:
        async with running_log(absent_url, tmp_path) as log:
            log.append(started("c"))
            await asyncio.wait_for(log.flush(), PATIENCE_SECONDS)
            assert "does not answer: 1 events wait in the journal" in await log.describe(1.0)
            assert [each.kind for each in await log.events("c")] == ["started"]

    asyncio.run(scenario())


def test_a_folder_that_cannot_be_is_a_fault_of_the_settings(absent_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="JOURNAL_DIR"):
        JournaledLog(Database(absent_url), tmp_path / "file" / "journal").start()


def test_one_event_that_cannot_be_stored_costs_only_itself(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with running_log(database_url, tmp_path) as log:
            log.append(started("c"))
            for sequence in range(1, 100):
                log.append(audio("c", sequence))
            log.append(event("c", 100, "ended", reason="", close_code=1000, duration_secs=1.0, status="secret"))
            log.append(event("c", 101, "feedback", event_id=1, score=object()))
            log.append(event("c", 102, "feedback", event_id=1, score="like"))
            log.append(event("../c", 0, "feedback", event_id=1, score="like"))
            await log.flush()
            assert await in_order_of_storage(database_url, "c") == [*range(100), 102]

    asyncio.run(scenario())
    assert "secret" not in caplog.text
    assert caplog.text.count("dropped event") == 3


def test_a_full_disk_under_the_journal_costs_nothing_while_postgres_is_there(
    database_url: str, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with running_log(database_url, small_disk) as log:
            log.append(started("c"))
            fill(small_disk)
            for sequence in range(1, 300):
                log.append(user_turn("c", sequence, "Lorem ipsum dolor sit amet."))
            assert len(await log.events("c")) == 300
            await log.flush()
            assert (log.behind()[:2], log.dropped) == ((0, 0), 0)
            assert await in_order_of_storage(database_url, "c") == list(range(300))
            log.append(event("c", 300, "ended", reason="", close_code=1000, duration_secs=1.0, status="done"))
            await until(lambda: not journals(small_disk))

    asyncio.run(scenario())
    assert "the journal's disk refuses events" in caplog.text


@pytest.mark.parametrize(("said", "stored"), [("a\0b", "a\ufffdb"), ("olá 👋", "olá 👋"), ("a\\u0000b", "a\\u0000b")])
def test_text_that_postgres_cannot_hold_is_replaced(database_url: str, tmp_path: Path, said: str, stored: str) -> None:
    async def scenario() -> None:
        async with running_log(database_url, tmp_path) as log:
            log.append(user_turn("c", 0, said))
            await log.flush()
            assert await fetch(database_url, "SELECT message FROM turns") == [(stored,)]

    asyncio.run(scenario())


def test_events_are_read_back_as_they_were_appended(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        call = interrupted_call("c")
        async with running_log(database_url, tmp_path / "one") as log:
            for each in call:
                log.append(each)
            assert await log.events("c") == call
        async with running_log(database_url, tmp_path / "another") as log:
            assert await log.events("c") == call
            assert await log.events("nobodys") == []
            assert await log.events("../c") == []
            assert not await log.take_over("../c", 1)

    asyncio.run(scenario())


def test_whoever_takes_over_has_the_whole_conversation_and_the_other_is_told_and_refused(
    database_url: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_log(database_url, tmp_path) as old, running_log(database_url, tmp_path) as new:
            told = asyncio.Event()
            old.on_superseded = lambda conversation_id: told.set() if conversation_id == "c" else None
            old.append(started("c"))
            old.append(user_turn("c", 1, "Oi."))
            assert await new.take_over("c", 1)
            old.append(user_turn("c", 2, "late"))
            *before, taken = await new.events("c")
            assert [each.kind for each in before] == ["started", "user_turn"]
            assert (taken.kind, taken.sequence, taken.epoch) == ("taken_over", 2, 1)
            new.append(LogEvent("c", 3, taken.at_unix, "feedback", {"score": "like"}, 1))
            await asyncio.wait_for(told.wait(), PATIENCE_SECONDS)
            old.append(user_turn("c", 3, "later"))
            await new.flush()
            await old.flush()
            assert old.refused >= 2
        rows = await fetch(database_url, "SELECT sequence, kind, epoch FROM events ORDER BY sequence")
        assert rows == [(0, "started", 0), (1, "user_turn", 0), (2, "taken_over", 1), (3, "feedback", 1)]

    asyncio.run(scenario())


def is_gone(file: Path) -> bool:
    return not file.exists()
