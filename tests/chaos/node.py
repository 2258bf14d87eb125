"""One more node of the cluster, on the same machine: it joins by `ray start`, as anywhere, and can be killed whole."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.acceptance.server import started_with
from tests.chaos.parts import descendants, send


class Node:
    """Joins when it is made. `journal_dir` is the place of its own disk; `options` are of `ray start`: what it has."""

    def __init__(self, mark: str, journal_dir: Path, options: Sequence[str] = ("--num-cpus=2",)) -> None:
        head = _raylet(mark)
        address = next(each for each in _strings(head, "cmdline") if each.startswith("--gcs-address="))
        journal_dir.mkdir()
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("ray"), "start", address.replace("gcs-", ""), "--block", *options],
            env={**dict(each.split("=", 1) for each in _strings(head, "environ")), "JOURNAL_DIR": str(journal_dir)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pids(self) -> list[int]:
        return descendants(self._process.pid)

    def kill(self) -> None:
        """All of it at once."""
        send(signal.SIGKILL, self.pids)
        self._process.wait()


def _raylet(mark: str) -> int:
    return next(pid for pid in started_with(mark) if Path(f"/proc/{pid}/comm").read_text().strip() == "raylet")


def _strings(pid: int, name: str) -> list[str]:
    return [each for each in Path(f"/proc/{pid}/{name}").read_text().split("\0") if each]
