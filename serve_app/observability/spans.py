"""Pieces of work as they are recorded: begun, noted of, over."""

import hashlib
import os
import re
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from serve_app.observability.correlation import Attribute, Recorded

_TRACEPARENT = re.compile("(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)")
_SAMPLED = 1

Clock = Callable[[], float]
"""Unix seconds."""

GIVEN_UP = ("CancelledError", "GeneratorExit")
"""How work ends that nobody waits for any more: that is no failure."""


class SpanName(NamedTuple):
    """Of a span, unique in the world: 16 bytes that all of its trace share, and 8 of its own."""

    trace_id: int
    span_id: int

    @classmethod
    def of_conversation(cls, conversation_id: str, epoch: int) -> "SpanName":
        """The same wherever the conversation is: one that moves stays one trace. SHA-256 is as even as a sampler by
        ratio wants it."""
        return cls(hashed(conversation_id, 16), hashed(f"{conversation_id}/{epoch}", 8))

    @classmethod
    def parse(cls, traceparent: str) -> "SpanName | None":
        """W3C Trace Context, 3.2. None: it is none, or of a trace that is not sampled."""
        if not (found := _TRACEPARENT.match(traceparent)):
            return None
        trace_id, span_id, flags = (int(part, 16) for part in found.groups())
        return cls(trace_id, span_id) if trace_id and span_id and flags & _SAMPLED else None

    def child(self) -> "SpanName":
        return SpanName(self.trace_id, int.from_bytes(os.urandom(8)))

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


class FinishedSpan(NamedTuple):
    """Unix seconds. `parent` None: it is the root. `error`: the kind of failure. `remote`: its parent is in another
    process."""

    name: str
    id: SpanName
    parent: SpanName | None
    began: float
    ended: float
    attributes: dict[str, Attribute]
    error: str = ""
    remote: bool = False


Export = Callable[[FinishedSpan], None]


class Stage(Recorded):
    """Work that goes on from when this is made until it is left. `over` is told then, once."""

    def __init__(
        self,
        name: str,
        id: SpanName,
        clock: Clock,
        over: Callable[["Stage"], None],
        attributes: dict[str, Attribute] | None = None,
    ) -> None:
        self.name = name
        self.id = id
        self.traceparent = id.traceparent
        self.attributes = attributes or {}
        self.error = ""
        self.ended: float | None = None
        self._clock = clock
        self.began = clock()
        self._over = over

    @property
    def kept(self) -> bool:
        """It has come to its end."""
        return self.ended is not None and not self.error and "cancelled" not in self.attributes

    def note(self, **attributes: Attribute) -> None:
        self.attributes.update({name: value for name, value in attributes.items() if value != ""})

    def mark(self, name: str) -> None:
        self.attributes.setdefault(name, round((self._clock() - self.began) * 1000, 2))

    def count(self, name: str) -> None:
        self.attributes[name] = int(self.attributes.get(name, 0)) + 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        super().__exit__(kind, error, _)
        self.finish(kind.__name__ if kind else "")

    def finish(self, error: str = "") -> None:
        """`error`: the name of what ended it."""
        if self.ended is not None:
            return
        self.ended = self._clock()
        if error in GIVEN_UP:
            self.note(cancelled=True)
        else:
            self.error = error
        self._over(self)

    def finished(self, parent: SpanName | None, *, remote: bool = False) -> FinishedSpan:
        assert self.ended is not None
        return FinishedSpan(
            self.name, self.id, parent, self.began, max(self.began, self.ended), self.attributes, self.error, remote
        )


def hashed(text: str, size: int) -> int:
    """So many bytes of a name that is the same wherever it is made."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size])
