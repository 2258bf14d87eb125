"""What a server holds after a long load, against what it held before: both at rest."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.soak.vitals import Held, Vitals

MB = 2**20
FLAT = 1.05
GRAIN = MB
"""An allocator takes memory by the page and the arena: in a process of a few MB that is more than 5 %."""


class Growth(NamedTuple):
    """Of the processes of one name; None: there was none."""

    name: str
    before: Held | None
    after: Held | None

    @property
    def memory(self) -> float:
        """Of one process, against before: 1.05 is 5 % more."""
        return self._each(self.after) / self._each(self.before) if self.before and self.after else 1.0

    @property
    def is_flat(self) -> bool:
        if self.before is None or self.after is None:
            return True
        return self.memory <= FLAT or self._each(self.after) - self._each(self.before) <= GRAIN

    @staticmethod
    def _each(held: Held) -> float:
        return held.memory / held.processes


def growths(before: Vitals, after: Vitals) -> list[Growth]:
    """Of every process, the largest first."""
    names = sorted(before.processes.keys() | after.processes.keys())
    found = [Growth(name, before.processes.get(name), after.processes.get(name)) for name in names]
    return sorted(found, key=lambda growth: -max(held.memory for held in growth[1:] if held))


def broken_bars(before: Vitals, after: Vitals) -> Iterator[str]:
    """What has grown that must not."""
    for growth in growths(before, after):
        if not growth.is_flat:
            yield f"{growth.name}: {growth.memory - 1:.1%} more memory"
    for name, first, last in (
        ("tasks", before.tasks, after.tasks),
        ("open sockets", before.sockets, after.sockets),
        ("database connections", before.connections, after.connections),
        ("files of the journal", before.journal, after.journal),
    ):
        if last > first:
            yield f"{name}: {first}, then {last}"


def table(before: Vitals, after: Vitals) -> Iterator[str]:
    """Lines: a process each, with MB of memory, open files and sockets, before -> after."""
    yield f"{'':38} {'memory, MB':>18} {'':>7} {'files':>12} {'sockets':>12}"
    for growth in growths(before, after):
        first, last = growth.before, growth.after
        columns = (
            f"{_pair(first and first.memory / MB, last and last.memory / MB):>18}",
            f"{growth.memory - 1:>+7.1%}",
            f"{_pair(first and first.files, last and last.files):>12}",
            f"{_pair(first and first.sockets, last and last.sockets):>12}",
        )
        yield f"{growth.name[:38]:38} {' '.join(columns)}"
    total = f"{_pair(before.memory / MB, after.memory / MB):>18} {after.memory / before.memory - 1:>+7.1%}"
    yield f"{'all':38} {total} {'':>12} {_pair(before.sockets, after.sockets):>12}"
    yield f"tasks {_pair(before.tasks, after.tasks)}, connections {_pair(before.connections, after.connections)},"
    yield f"files of the journal {_pair(before.journal, after.journal)}"


def _pair(first: float | None, last: float | None) -> str:
    return " -> ".join(
        "-" if value is None else f"{value:.{1 if isinstance(value, float) else 0}f}" for value in (first, last)
    )
