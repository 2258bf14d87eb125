"""Every process of a run, found by a mark in its environment, and ended with the run.

Ray's daemons die with their parent, but HAProxy does not, and workers may be in the middle of starting: only a mark
that all of them inherit finds them all, and nobody else's. Linux only, like Ray's HAProxy: it reads /proc.

`python -m serve_app.run_processes MARK` is the watchdog: it waits until its standard input ends, which happens
when the launcher dies however it dies, and then ends what the launcher has left.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "AUTOMAGIK_HELLO_RUN"
KEEP_ENVIRONMENT = "SPT_NOENV"  # setproctitle, which Ray calls, else writes the title over the environment /proc shows
PATIENCE_S = 3.0  # between SIGTERM and SIGKILL


def environment(mark: str) -> dict[str, str]:
    """What the run's processes must inherit to be found."""
    return {MARK: mark, KEEP_ENVIRONMENT: "1"}


def marked(mark: str) -> list[int]:
    """Process ids, but this one's, that were started with `MARK=mark`. Zombies have no environment left."""
    entry = f"{MARK}={mark}".encode()
    numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in numbers if pid != os.getpid() and entry in _environment(pid)]


def names(mark: str) -> set[str]:
    """Program names, as the kernel knows them (15 characters at most), of the marked processes."""
    return {_read(pid, "comm").decode().strip() for pid in marked(mark)}


def end(mark: str, patience_s: float = PATIENCE_S) -> None:
    """SIGTERM to every marked process, SIGKILL to those that are still there `patience_s` later."""
    deadline = time.monotonic() + patience_s
    _signal(mark, signal.SIGTERM)
    while marked(mark):
        if time.monotonic() > deadline:
            _signal(mark, signal.SIGKILL)
        time.sleep(0.05)


@contextmanager
def watchdog(mark: str) -> Iterator[None]:
    """While the block runs, a helper process stands by to end the marked processes should this one be killed.

    It has a session of its own: Ctrl-C in the terminal is not for it.
    """
    command = [sys.executable, "-m", "serve_app.run_processes", mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):  # noqa: S603 - a program of ours
        yield


def _signal(mark: str, number: signal.Signals) -> None:
    for pid in marked(mark):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _environment(pid: int) -> list[bytes]:
    return _read(pid, "environ").split(b"\0")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return b""  # gone, or another user's


if __name__ == "__main__":
    sys.stdin.read()
    end(sys.argv[1])
