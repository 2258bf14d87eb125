"""Who records what a conversation spends its time on. Here nobody does, which costs nothing; `tracer_of` knows who."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from serve_app.observability.correlation import UNRECORDED, Attribute, Span, carried


class Trace:
    """Of one conversation. What becomes of it is told by the events of its record; times are Unix seconds."""

    root: Span = UNRECORDED

    def begin(self, name: str, *, reply: int | None = None, over_answer: bool = False, **attributes: Attribute) -> Span:
        """A piece of work begins, and ends when it is left. It is done for this answer, or for what the caller says:
        with `over_answer`, while they hear one."""
        return UNRECORDED

    def tool(self, call_id: str) -> Span:
        """The use of a tool, which an event of the record has begun and another one ends."""
        return UNRECORDED

    def log(self, kind: str, data: Mapping[str, Any], at: float) -> None:
        """An event of the record."""

    def sent(self, event_id: int) -> None:
        """This message has left."""

    def end(self, close_code: int, close_reason: str) -> None:
        """It is over, or goes on elsewhere."""


class Tracer:
    """Of one process."""

    def conversation(self, conversation_id: str, agent_id: str, clock: Callable[[], float], *, epoch: int) -> Trace:
        """Begin to record one. `clock`: Unix seconds, that never go backwards."""
        return NO_TRACE

    @contextmanager
    def served(self, name: str, carrier: Mapping[str, str] | None) -> Iterator[Span]:
        """What is done here is done for the work in another process that the call came from."""
        with carried(carrier):
            yield UNRECORDED

    async def aclose(self) -> None:
        """Send what is left."""


NO_TRACE = Trace()
NO_TRACER = Tracer()


def tracer_of(part: str) -> Tracer:
    """Of this process, which is a replica of `part`. OpenTelemetry's variables say whether anything is recorded."""
    endpoints = map(os.environ.get, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"))
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or os.environ.get("OTEL_TRACES_EXPORTER") == "none" or not any(endpoints):
        return NO_TRACER
    from serve_app.observability.exported_spans import OpenTelemetryTracer  # it takes a while, and some memory

    return OpenTelemetryTracer(part)
