import asyncio
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from serve_app.errors import ConfigurationError
from serve_app.store import embedded


def test_what_was_written_is_there_after_a_restart_and_other_runs_are_refused(server_folder: Path) -> None:
    server = embedded.start(server_folder)
    ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with pytest.raises(ConfigurationError, match="another run"):
        embedded.start(server_folder)
    server.stop()
    server.stop()
    with pytest.raises(OSError):  # noqa: PT011 - there is no socket any more
        ask(server.url, "SELECT 1")

    server = embedded.start(server_folder)
    try:
        assert ask(server.url, "SELECT answer FROM kept") == 42
    finally:
        server.stop()


def test_a_server_whose_owner_was_killed_is_taken_over(server_folder: Path) -> None:
    crash = f"""
import os, pathlib
from serve_app.store import embedded
print(embedded.start(pathlib.Path({str(server_folder)!r})).url, flush=True)
os._exit(9)
"""
    owner = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, check=False)
    orphan = ask(owner.stdout.strip(), "SELECT pg_postmaster_start_time()")

    server = embedded.start(server_folder)
    assert ask(server.url, "SELECT pg_postmaster_start_time()") == orphan
    server.stop()
    with pytest.raises(OSError):  # noqa: PT011 - there is no socket any more
        ask(server.url, "SELECT 1")


def test_an_innocent_process_with_the_dead_servers_id_is_left_alone(server_folder: Path) -> None:
    server = embedded.start(server_folder)
    marks = server_folder / "pgdata" / "postmaster.pid"
    alive = marks.read_text()
    server.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        marks.write_text(alive.replace(alive.splitlines()[0], str(innocent.pid), 1))
        server = embedded.start(server_folder)
        assert ask(server.url, "SELECT 1") == 1
        server.stop()
        assert innocent.poll() is None
        innocent.communicate(b"\n")


def test_a_path_too_long_for_a_socket_still_serves_and_only_to_us(server_folder: Path) -> None:
    server = embedded.start(server_folder / ("long" * 30))
    socket_dir = Path(str(ask(server.url, "SHOW unix_socket_directories")))
    try:
        assert ask(server.url, "SELECT 1") == 1
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
    finally:
        server.stop()
        socket_dir.rmdir()


def test_a_locale_this_machine_has_not_does_not_matter(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    server = embedded.start(server_folder)
    server.stop()
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
