"""How busy the machine's processors are."""

from pathlib import Path
from typing import NamedTuple


class _Ticks(NamedTuple):
    """Since the machine's start, of all processors: proc(5), stat."""

    idle: int
    all: int

    @staticmethod
    def now() -> "_Ticks":
        _, *fields = Path("/proc/stat").read_text().partition("\n")[0].split()
        user, nice, system, idle, iowait, *others = map(int, fields[:8])
        return _Ticks(idle + iowait, user + nice + system + idle + iowait + sum(others))


class Processors:
    """From the moment when it is made."""

    def __init__(self) -> None:
        self._before = _Ticks.now()

    @property
    def busy(self) -> float:
        """The share of their time since then in which they had something to do."""
        now = _Ticks.now()
        return 1 - (now.idle - self._before.idle) / max(1, now.all - self._before.all)
