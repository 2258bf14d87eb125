"""The regions of a deployment: servers apart from each other, each with an address of its own."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Regions(NamedTuple):
    """`own`: the name of this one. `urls`: of each by its name, this one's too, those near each other next to each
    other; empty where there is but one server."""

    own: str
    urls: Mapping[str, str]

    def for_caller(self, asked: str | None, *, own_has_room: bool) -> Iterator[str]:
        """Names, the one to call first: that which was `asked` for, else this one, else the next that may have room.
        Then those after it, and around. Of the others nobody here knows how they are."""
        names = list(self.urls)
        first = names.index(asked or self.own)
        if not asked and not own_has_room:
            first = (first + 1) % len(names)
        yield from names[first:]
        yield from names[:first]
