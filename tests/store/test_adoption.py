import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import serve_app.store.adoption
import serve_app.store.journal_file
import serve_app.store.log
import serve_app.store.takeover
from serve_app.errors import StoreError
from serve_app.ports import LogEvent
from serve_app.store.log import JournaledLog
from tests.store.hanging_server import hanging_server
from tests.store.logs import dying_log, fetch, journals, running_log, until
from tests.store.samples import event, interrupted_call, started, user_turn

RESUMABLE = {"token_sha256": "0", "expires_unix": 4e9}
ENDS = "SELECT conversation_id, data->>'reason', epoch FROM events WHERE kind = 'ended' ORDER BY 1"

pytestmark = pytest.mark.usefixtures("often")


def test_what_a_dead_replica_had_not_stored_is_stored_and_its_calls_are_ended(
    absent_url: str, database_url: str, tmp_path: Path
) -> None:
    """Nobody was to come back to "cut off"; "over" was over."""

    async def scenario() -> None:
        async with dying_log(absent_url, tmp_path) as log:
            for each in [started("cut-off"), user_turn("cut-off", 1, "Oi."), *interrupted_call("over")]:
                log.append(each)
        async with running_log(database_url, tmp_path):
            await until(lambda: not journals(tmp_path))
        rows = await fetch(database_url, "SELECT id, status, duration_secs FROM conversations ORDER BY id")
        assert rows == [("cut-off", "failed", 1.0), ("over", "done", 7.4)]
        assert await fetch(database_url, ENDS) == [
            ("cut-off", "the server process that held it died", 1),
            ("over", "user hung up", 0),
        ]
        assert await fetch(database_url, "SELECT count(*) FROM events") == [(12,)]

    asyncio.run(scenario())
    assert [path.name for path in tmp_path.iterdir()] == ["epochs"]


def test_a_call_that_its_client_may_come_back_to_is_waited_for(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with dying_log(database_url, tmp_path) as log:
            log.append(resumable("comes-back"))
            log.append(resumable("stays-away"))
            await log.flush()
        async with running_log(database_url, tmp_path) as other, running_log(database_url, tmp_path) as log:
            await until(lambda: is_adopted(tmp_path, other, log))
            assert await log.take_over("comes-back", 1)
            monkeypatch.setattr(serve_app.store.adoption, "RESUME_SECONDS", 0.0)
            await until(lambda: yields(fetch(database_url, ENDS), 1))
            *_, last = await log.events("comes-back")
            log.append(LogEvent("comes-back", last.sequence + 1, last.at_unix, "ended", ending("user hung up"), 1))
            await until(lambda: not journals(tmp_path))
            assert (log.refused, other.refused) == (0, 0)
        assert await fetch(database_url, ENDS) == [
            ("comes-back", "user hung up", 1),
            ("stays-away", "the server process that held it died", 1),
        ]

    asyncio.run(scenario())


def test_of_several_who_would_adopt_a_journal_one_does(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with dying_log(database_url, tmp_path) as log:
            for call in range(10):
                log.append(started(f"c{call}"))
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(running_log(database_url, tmp_path))
            await until(lambda: not journals(tmp_path))
        ends = await fetch(database_url, ENDS)
        assert [(name, epoch) for name, _, epoch in ends] == [(f"c{call}", 1) for call in range(10)]

    asyncio.run(scenario())


def test_a_folder_without_a_conversation_goes(absent_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with dying_log(absent_url, tmp_path):
            pass
        async with running_log(absent_url, tmp_path) as log:
            await until(lambda: are_replicas(tmp_path, 1))
            assert log.behind()[:2] == (0, 0)

    asyncio.run(scenario())


def test_without_postgres_a_node_s_replicas_take_over_from_each_other_and_it_learns_of_it(
    absent_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_app.store.log, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(serve_app.store.journal_file, "KEEP_SECONDS", 0.0)

    async def scenario() -> None:
        async with running_log(absent_url, tmp_path) as one, running_log(absent_url, tmp_path) as two:
            told = asyncio.Event()
            one.on_superseded = lambda _: told.set()
            one.append(resumable("c"))
            assert await two.take_over("c", 1)
            await asyncio.wait_for(told.wait(), 10.0)
            one.append(user_turn("c", 1, "late"))
            assert await one.take_over("c", 2)
            won = await asyncio.gather(one.take_over("c", 3), two.take_over("c", 3))
            assert sorted(won) == [False, True]
            winner = one if won[0] else two
            kinds = [(each.sequence, each.kind, each.epoch) for each in await winner.events("c")]
            assert kinds == [(0, "started", 0), *((epoch, "taken_over", epoch) for epoch in (1, 2, 3))]
            winner.append(event_of("c", 4, 3, "ended", **ending("user hung up")))
        async with running_log(database_url, tmp_path):
            await until(lambda: not journals(tmp_path))
        assert await fetch(database_url, "SELECT sequence, epoch FROM events ORDER BY 1") == [
            (0, 0),
            *((epoch, epoch) for epoch in (1, 2, 3)),
            (4, 3),
        ]
        assert await fetch(database_url, "SELECT epoch FROM epochs") == [(3,)]

    asyncio.run(scenario())
    assert list((tmp_path / "epochs").iterdir()) == []


def test_a_postgres_that_is_known_to_be_away_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs would be asked four times for one caller who comes back."""
    monkeypatch.setattr(serve_app.store.log, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(serve_app.store.takeover, "SECOND_OPINION_SECONDS", 3600.0)

    async def scenario() -> None:
        async with hanging_server() as server, running_log(server.url, tmp_path) as log:
            log.append(resumable("c"))
            log._writer.outage = StoreError("PostgreSQL is away")
            async with asyncio.timeout(30.0):
                assert await log.take_over("c", 1)
                assert [each.kind for each in await log.events("c")] == ["started", "taken_over"]

    asyncio.run(scenario())


def test_a_takeover_that_came_to_nothing_is_followed_by_another(database_url: str, tmp_path: Path) -> None:
    """Its replica has died before it could write a word."""

    async def scenario() -> None:
        async with running_log(database_url, tmp_path) as log:
            log.append(resumable("c"))
            await log.flush()
            await fetch(database_url, "UPDATE epochs SET epoch = 1, owner = 'dead'")
            *_, last = await log.events("c")
            assert (last.kind, last.sequence, last.epoch) == ("taken_over", 1, 1)
            assert not await log.take_over("c", 1)
            assert await log.take_over("c", 2)
            assert [each.epoch for each in await log.events("c")] == [0, 2]

    asyncio.run(scenario())


def test_on_another_node_there_is_what_postgres_has(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            running_log(database_url, tmp_path / "a") as here,
            running_log(database_url, tmp_path / "b") as there,
        ):
            told = asyncio.Event()
            here.on_superseded = lambda _: told.set()
            here.append(resumable("c"))
            await here.flush()
            assert await there.take_over("c", 1)
            await asyncio.wait_for(told.wait(), 10.0)
            here.append(user_turn("c", 1, "late"))
            assert [each.kind for each in await there.events("c")] == ["started", "taken_over"]

    asyncio.run(scenario())


def test_a_call_that_goes_on_on_another_node_is_let_alone(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_app.store.adoption, "RESUME_SECONDS", 0.0)
    monkeypatch.setattr(serve_app.store.journal_file, "KEEP_SECONDS", 0.0)

    async def scenario() -> None:
        async with dying_log(database_url, tmp_path / "a") as log:
            log.append(resumable("c"))
            await log.flush()
        async with running_log(database_url, tmp_path / "b") as there:
            assert await there.take_over("c", 1)
            async with running_log(database_url, tmp_path / "a"):
                await until(lambda: not journals(tmp_path / "a"))
            there.append(event_of("c", 2, 1, "feedback", score="like"))
            await there.flush()
            assert there.refused == 0
            assert [each.kind for each in await there.events("c")] == ["started", "taken_over", "feedback"]

    asyncio.run(scenario())


def test_nobody_takes_over_from_another_node_without_postgres(
    absent_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_app.store.log, "DRAIN_SECONDS", 0.0)

    async def scenario() -> None:
        async with running_log(absent_url, tmp_path) as log:
            with pytest.raises(StoreError):
                await log.take_over("c", 1)
            with pytest.raises(StoreError):
                await log.events("c")

    asyncio.run(scenario())
    assert list((tmp_path / "epochs").iterdir()) == []


def resumable(conversation_id: str) -> LogEvent:
    of = started(conversation_id)
    return LogEvent(of.conversation_id, 0, of.at_unix, of.kind, {**of.data, "resume": RESUMABLE})


def event_of(conversation_id: str, sequence: int, epoch: int, kind: str, **data: Any) -> LogEvent:
    of = event(conversation_id, sequence, kind, **data)
    return LogEvent(conversation_id, sequence, of.at_unix, kind, data, epoch)


def ending(reason: str) -> dict[str, Any]:
    return {"reason": reason, "close_code": 1000, "duration_secs": 2.0, "status": "done", "error": None}


def are_replicas(root: Path, count: int) -> bool:
    return len([path for path in root.iterdir() if path.name != "epochs"]) == count


def is_adopted(root: Path, *logs: JournaledLog) -> bool:
    adopted = [file for log in logs for orphan in log._adoption._orphans.values() for file in orphan.files]
    return len(adopted) == len(journals(root)) and all(file.is_stored for file in adopted)


async def yields(rows: Any, count: int) -> bool:
    return len(await rows) >= count
