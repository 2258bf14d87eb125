"""Each new folder costs an initdb, so the tests share one where they can; every test leaves it without a server."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from serve_app.errors import ConfigurationError
from serve_app.store import embedded


@pytest.fixture(scope="module")
def used_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        yield Path(folder)


def test_what_was_written_is_there_after_a_restart_and_other_runs_are_refused(used_folder: Path) -> None:
    server = embedded.start(used_folder)
    ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with pytest.raises(ConfigurationError, match="another run"):
        embedded.start(used_folder)
    server.stop()
    server.stop()
    with pytest.raises(OSError):  # noqa: PT011 - there is no socket any more
        ask(server.url, "SELECT 1")

    server = embedded.start(used_folder)
    try:
        assert ask(server.url, "SELECT answer FROM kept") == 42
    finally:
        server.stop()


def test_a_server_whose_owner_was_killed_is_taken_over(used_folder: Path) -> None:
    crash = f"""
import os, pathlib
from serve_app.store import embedded
print(embedded.start(pathlib.Path({str(used_folder)!r})).url, flush=True)
os._exit(9)
"""
    owner = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, check=False)
    orphan = ask(owner.stdout.strip(), "SELECT pg_postmaster_start_time()")

    server = embedded.start(used_folder)
    assert ask(server.url, "SELECT pg_postmaster_start_time()") == orphan
    server.stop()
    with pytest.raises(OSError):  # noqa: PT011 - there is no socket any more
        ask(server.url, "SELECT 1")


def test_a_first_start_that_was_cut_off_is_begun_anew() -> None:
    with tempfile.TemporaryDirectory(prefix="hello-") as name:
        half_made = Path(name) / "pgdata"
        half_made.mkdir()
        (half_made / "PG_VERSION").write_text("18")
        server = embedded.start(Path(name))
        try:
            assert ask(server.url, "SELECT 1") == 1
        finally:
            server.stop()
        assert [path.name for path in Path(name).glob("unfinished-*/pgdata/*")] == ["PG_VERSION"]


def test_an_innocent_process_with_the_dead_servers_id_is_left_alone(used_folder: Path) -> None:
    server = embedded.start(used_folder)
    marks = used_folder / "pgdata" / "postmaster.pid"
    alive = marks.read_text()
    server.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        marks.write_text(alive.replace(alive.splitlines()[0], str(innocent.pid), 1))
        server = embedded.start(used_folder)
        assert ask(server.url, "SELECT 1") == 1
        server.stop()
        assert innocent.poll() is None
        innocent.communicate(b"\n")


def test_neither_a_path_too_long_for_a_socket_nor_a_foreign_locale_matters(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    server = embedded.start(server_folder / ("long" * 30))
    socket_dir = Path(str(ask(server.url, "SHOW unix_socket_directories")))
    try:
        assert ask(server.url, "SELECT 1") == 1
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
    finally:
        server.stop()
        socket_dir.rmdir()
    assert os.environ["LC_ALL"] == "xx_XX.UTF-8"


def test_a_folder_that_cannot_be_used_is_named(server_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="without spaces"):
        embedded.start(server_folder / "my data")
    (server_folder / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot keep data"):
        embedded.start(server_folder / "file")


def test_it_listens_on_no_network_port(postgres: embedded.EmbeddedPostgres) -> None:
    assert ask(postgres.url, "SHOW listen_addresses") == ""
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(str(ask(postgres.url, "SHOW port"))))) != 0


def ask(url: str, question: str) -> object:
    async def answer() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(answer())
