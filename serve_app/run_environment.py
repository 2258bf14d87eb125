"""What a run on this machine needs around it: Ray's flags, a lock on its data, a folder, names nobody else uses."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serve_app.errors import ConfigurationError


def load_flags(path: Path) -> None:
    """Put the KEY=VALUE lines of `path` into the environment, where it does not have them yet.

    An empty flag of Ray's is taken out of it: Ray would read "" as a number, and fail.
    """
    for key in [key for key, value in os.environ.items() if key.startswith("RAY_") and not value]:
        del os.environ[key]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigurationError(f"{path}:{number} is not KEY=VALUE: {line}")
        os.environ.setdefault(key, value.strip('"'))  # shells read the file, too


@contextmanager
def run_lock(path: Path, url: str) -> Iterator[None]:
    """Holds `path` for as long as the block runs; the kernel lets go of it should the process be killed.

    Raises ConfigurationError that tells the other run's process id and URL, or that no data can be kept there.
    """
    with _data_kept_in(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+", encoding="utf-8")
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            file.seek(0)
            raise ConfigurationError(f"it runs already: {file.read().strip()}. Stop that one first.") from e
        file.truncate(0)
        file.write(f"process {os.getpid()}, {url}\n")
        file.flush()
        yield


def new_folder(link: Path) -> Path:
    """A folder for this run's sockets and logs. `link` points to it, also after the run, until the next one.

    It is not in the data folder since a Unix socket's path holds 107 bytes only, and Ray needs 64 of them.
    Raises ConfigurationError when `link` cannot be made.
    """
    with _data_kept_in(link.parent):
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="hello-", dir="/tmp"))
    link.symlink_to(folder)
    return folder


def keep_apart(folder: Path) -> None:
    """Environment by which servers on one machine stay out of each other's way, and stop quickly."""
    for name in ("CONFIG_FILE_LOC", "SOCKET_PATH", "METRICS_SOCKET_PATH", "SERVER_STATE_FILE"):
        os.environ[f"RAY_SERVE_HAPROXY_{name}"] = str(folder / f"haproxy-{name.partition('_')[0].lower()}")
    os.environ["RAY_SERVE_HAPROXY_SERVER_STATE_BASE"] = str(folder)
    first = int(os.environ.get("RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", "30000"))
    os.environ.setdefault("RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT", str(min(first + 1000, 65535)))
    # The default gives load balancers 30 s to notice that a replica goes; here there are none.
    os.environ.setdefault("RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S", "1")


@contextmanager
def _data_kept_in(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise ConfigurationError(
            f"cannot keep data in {folder} ({e.filename}: {e.strerror}): set DATA_DIR to a folder you can write"
        ) from e
