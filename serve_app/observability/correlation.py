"""Whose conversation code runs for, and for which piece of its work: known to every log line and every span, and sent
along with calls to other processes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

Attribute = str | int | float | bool

_BAGGAGE_KEY = "conversation_id"

conversation_id: ContextVar[str] = ContextVar("conversation_id", default="")
"""Empty: nobody's."""


class Span:
    """A piece of work that nobody records, and what every other one can do: `with` it, what runs, and whatever that
    starts, is a part of it. What is noted of it is never anything that was said, heard or asked for."""

    traceparent = ""
    """Its name for others, as W3C's Trace Context writes it. Empty: it has none."""

    def note(self, **attributes: Attribute) -> None:
        """Facts about it."""

    def mark(self, name: str) -> None:
        """It has come so far: the attribute is the time since its beginning in ms, the first time."""

    def count(self, name: str) -> None:
        """One more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        pass


UNRECORDED = Span()

_under_way: ContextVar[Span] = ContextVar("span", default=UNRECORDED)


def note(**attributes: Attribute) -> None:
    """Facts about the piece of work under way."""
    _under_way.get().note(**attributes)


class Recorded(Span):
    """One that knows that it is under way."""

    _before: Span | None = None

    def __enter__(self) -> Self:
        self._before = _under_way.get()
        _under_way.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # Not with a token: a generator may be closed in another context than it was begun in.
        _under_way.set(self._before or UNRECORDED)


def work_for(conversation: str, span: Span = UNRECORDED) -> None:
    """From here on, in this task and in those that it starts."""
    conversation_id.set(conversation)
    _under_way.set(span)


def traceparent() -> str:
    """The name of the piece of work under way. Empty: it has none."""
    return _under_way.get().traceparent


def trace_headers() -> dict[str, str]:
    """For a request to a provider."""
    return {"traceparent": name} if (name := traceparent()) else {}


def carrier() -> dict[str, str]:
    """What a call to another deployment takes along (W3C Trace Context and Baggage)."""
    headers = trace_headers()
    if current := conversation_id.get():
        headers["baggage"] = f"{_BAGGAGE_KEY}={quote(current, safe='')}"
    return headers


@contextmanager
def carried(carrier: Mapping[str, str] | None) -> Iterator[None]:
    """On the other side: what is done here is done for the conversation that the call came from."""
    before = conversation_id.get()
    conversation_id.set(_conversation(carrier or {}))
    try:
        yield
    finally:
        conversation_id.set(before)


def _conversation(carrier: Mapping[str, str]) -> str:
    for member in carrier.get("baggage", "").split(","):
        key, _, value = member.partition("=")
        if key.strip() == _BAGGAGE_KEY:
            return unquote(value.partition(";")[0].strip())
    return ""
