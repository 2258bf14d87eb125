"""What PostgreSQL can do to a log: it waits, and nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from serve_app.store import embedded
from tests.store.logs import fetch, in_order_of_storage, running_log, until
from tests.store.samples import audio, event, interrupted_call, started

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("often")


class Server:
    """A PostgreSQL to be maltreated."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = embedded.start(folder)

    @property
    def url(self) -> str:
        return self._running.url

    def stop(self) -> None:
        self._running.stop()

    def start(self) -> None:
        self._running = embedded.start(self._folder)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process of it."""
        marks = self._folder / "pgdata" / "postmaster.pid"
        postmaster = int(marks.read_text().split()[0])
        ids = [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]
        for each in ids:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in ids:
                os.kill(each, signal.SIGCONT)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        server = Server(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def url(server: Server) -> str:
    """A place without tables in it."""
    schema = f"test_{uuid4().hex}"
    asyncio.run(fetch(server.url, f"CREATE SCHEMA {schema}"))
    return f"{server.url}&search_path={schema}"


def test_a_restart_loses_nothing_and_is_got_over_by_itself(server: Server, url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_log(url, tmp_path) as log:
            for sequence in range(100):
                log.append(audio("c", sequence))
            await log.flush()
            await asyncio.to_thread(server.stop)
            for sequence in range(100, 1000):
                log.append(audio("c", sequence))
            assert log.behind()[0] == 900
            assert "does not answer: 900 events wait in the journal" in await log.describe(1.0)
            assert len(await log.events("c")) == 1000
            await asyncio.to_thread(server.start)
            await until(lambda: is_settled(log.behind))
            assert (await log.describe(5.0)).startswith("PostgreSQL 1")
        assert await in_order_of_storage(url, "c") == list(range(1000))

    asyncio.run(scenario())


def test_a_process_killed_in_an_outage_loses_nothing(server: Server, url: str, tmp_path: Path) -> None:
    server.stop()
    try:
        appended = killed_while_appending(url, tmp_path, calls=3)
    finally:
        server.start()

    async def scenario() -> None:
        async with running_log(url, tmp_path):
            await until(lambda: are_over(url, 3))
            for call in range(3):
                stored = await in_order_of_storage(url, f"c{call}")
                assert stored == list(range(len(stored)))
                assert len(stored) > appended

    asyncio.run(scenario())


def test_a_process_killed_while_all_is_well_loses_nothing(url: str, tmp_path: Path) -> None:
    appended = killed_while_appending(url, tmp_path, calls=20)

    async def scenario() -> None:
        async with running_log(url, tmp_path):
            await until(lambda: are_over(url, 20))
        rows = await fetch(url, "SELECT count(*), max(sequence), min(sequence) FROM events GROUP BY conversation_id")
        assert len(rows) == 20
        assert all(count == last + 1 and first == 0 and count > appended for count, last, first in rows)

    asyncio.run(scenario())


def test_a_server_that_hangs_holds_nobody_up(server: Server, url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_log(url, tmp_path) as old, running_log(url, tmp_path) as new:
            old.append(started("c"))
            await old.flush()
            with server.frozen():
                for sequence in range(1, 50):
                    old.append(audio("c", sequence))
                async with asyncio.timeout(10.0):
                    assert await new.take_over("c", 1)
                    assert len(await new.events("c")) == 51
                    await new.flush()
            await until(lambda: is_settled(new.behind))
            assert await in_order_of_storage(url, "c") == list(range(51))

    asyncio.run(scenario())


def test_a_server_that_may_only_be_read_from_is_waited_for(server: Server, url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_log(url, tmp_path) as log:
            log.append(started("c"))
            await log.flush()
            await set_read_only(server, "on")
            try:
                log.append(audio("c", 1))
                await until(lambda: says(log.describe, "takes nothing: 1 events wait in the journal"))
            finally:
                await set_read_only(server, "off")
            await until(lambda: is_settled(log.behind))
            assert await in_order_of_storage(url, "c") == [0, 1]

    asyncio.run(scenario())


def test_a_call_that_ends_in_an_outage_is_read_back_after_it(server: Server, url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        server.stop()
        try:
            async with running_log(url, tmp_path) as log:
                for each in [*interrupted_call("c"), event("d", 0, "feedback", score="like")]:
                    log.append(each)
                assert await log.events("c") == interrupted_call("c")
                await asyncio.to_thread(server.start)
                await until(lambda: is_settled(log.behind))
        finally:
            server.stop()
            server.start()
        assert await fetch(url, "SELECT status FROM conversations") == [("done",)]

    asyncio.run(scenario())


def killed_while_appending(url: str, root: Path, *, calls: int) -> int:
    """The last event of every call that the process has said to have appended."""
    command = [sys.executable, "-m", "tests.store.appending_process", url, str(root), str(calls)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(line) for line, _ in zip(process.stdout, range(100), strict=False)]
        process.kill()
        said += map(int, process.stdout.read().split())
    return said[-1]


def is_settled(behind: Callable[[], tuple[int, int, float]]) -> bool:
    return behind()[:2] == (0, 0)


async def are_over(url: str, calls: int) -> bool:
    try:
        rows = await fetch(url, "SELECT count(*) FROM conversations WHERE status = 'failed'")
    except asyncpg.UndefinedTableError:
        return False
    return rows == [(calls,)]


async def says(describe: Callable[[float], Awaitable[str]], words: str) -> bool:
    return words in await describe(5.0)


async def set_read_only(server: Server, value: str) -> None:
    await fetch(server.url, f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    await fetch(server.url, "SELECT pg_reload_conf()")
