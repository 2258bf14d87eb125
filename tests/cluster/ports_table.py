"""The table of ports in docs/regions.md, as the port scan compares it with what it finds."""

import re
from dataclasses import dataclass

from tests.cluster.template import REPOSITORY

PAGE = REPOSITORY / "docs" / "regions.md"
ROW = re.compile(r"^\| (\d+)(?: to (\d+))? \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """Ports `first` to `last` of the nodes `on`, and who reaches them: words of the page."""

    first: int
    last: int
    on: str
    listener: str
    reached_by: frozenset[str]

    def holds(self, port: int, node: str) -> bool:
        return self.first <= port <= self.last and self.on in {"every node", node}


def table() -> list[Row]:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [
        Row(int(first), int(last or first), on, listener, frozenset(reached_by.split(", ")))
        for first, last, on, listener, reached_by in rows
    ]


def row_of(port: int, node: str) -> Row | None:
    """The first that holds it: narrow rows stand above wide ones."""
    return next((row for row in table() if row.holds(port, node)), None)
