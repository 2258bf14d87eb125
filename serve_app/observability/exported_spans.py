"""Spans to a collector, by OpenTelemetry's SDK: OTLP over HTTP, in batches, from a thread of its own.

Its own variables say where to, how, and which conversations (OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER, OTEL_BSP_*,
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES): opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables.
"""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from serve_app.observability.conversation_trace import ConversationTrace
from serve_app.observability.correlation import UNRECORDED, Attribute, Span, carried, conversation_id
from serve_app.observability.spans import FinishedSpan, SpanName, Stage
from serve_app.observability.tracing import NO_TRACE, Trace, Tracer
from serve_app.settings import LogSettings

NAME = "automagik-hello"
LAST_BATCH_S = 2.0
"""A collector that does not answer must not keep a process that ends."""

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class _GivenIds(IdGenerator):
    """Those that were given out already, before the span's end was known."""

    name = SpanName(0, 0)

    def generate_trace_id(self) -> int:
        return self.name.trace_id

    def generate_span_id(self) -> int:
        return self.name.span_id


class OpenTelemetryTracer(Tracer):
    """Of a replica of `part`."""

    def __init__(self, part: str) -> None:
        self._region = LogSettings.from_environment(os.environ).region
        self._ids = _GivenIds()
        self._one_at_a_time = threading.Lock()
        self._provider = TracerProvider(
            resource=_resource(part, self._region), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._spans = self._provider.get_tracer("serve_app")

    def conversation(self, conversation_id: str, agent_id: str, clock: Callable[[], float], *, epoch: int) -> Trace:
        """Whether it is sampled is decided here, for all of it: by its id, so wherever it goes the same."""
        trace_id = SpanName.of_conversation(conversation_id, epoch).trace_id
        sampled = self._provider.sampler.should_sample(None, trace_id, "conversation")
        if sampled.decision is not Decision.RECORD_AND_SAMPLE:
            return NO_TRACE
        trace = ConversationTrace(conversation_id, clock, self.export, epoch=epoch)
        trace.root.note(agent_id=agent_id, region=self._region, epoch=epoch)
        return trace

    @contextmanager
    def served(self, name: str, carrier: Mapping[str, str] | None) -> Iterator[Span]:
        with carried(carrier):
            caller = SpanName.parse((carrier or {}).get("traceparent", ""))
            if caller is None:
                yield UNRECORDED
                return
            common: dict[str, Attribute] = {"conversation_id": conversation_id.get()}
            with Stage(name, caller.child(), time.time, lambda stage: self._served(stage, caller), common) as stage:
                yield stage

    def _served(self, stage: Stage, caller: SpanName) -> None:
        self.export(stage.finished(caller, remote=True))

    def export(self, span: FinishedSpan) -> None:
        """It waits in memory for the next batch; when there are too many, it is dropped."""
        with self._one_at_a_time:
            self._ids.name = span.id
            made = self._spans.start_span(
                span.name,
                _context(span.parent, is_remote=span.remote),
                kind=SpanKind.SERVER if span.remote else SpanKind.INTERNAL,
                attributes=span.attributes,
                start_time=_ns(span.began),
            )
        if span.error:
            made.set_attribute("error.type", span.error)
            made.set_status(StatusCode.ERROR)
        made.end(_ns(span.ended))

    async def aclose(self) -> None:
        """The last batch, if it can be had off in time."""
        flushing = threading.Thread(target=self._provider.force_flush, daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, LAST_BATCH_S)


def _resource(part: str, region: str) -> Resource:
    """What the environment says of the service comes first."""
    instance = f"{socket.gethostname()}/{os.getpid()}"
    own: dict[str, str | int] = {SERVICE_NAME: NAME, "service.instance.id": instance, "process.pid": os.getpid()}
    own |= {"deployment": part, "region": region}
    given = Resource.create()
    named = not str(given.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service")
    return given.merge(Resource({key: value for key, value in own.items() if key != SERVICE_NAME or not named}))


def _context(parent: SpanName | None, *, is_remote: bool) -> Context:
    if parent is None:
        return Context()
    context = SpanContext(parent.trace_id, parent.span_id, is_remote=is_remote, trace_flags=_SAMPLED)
    return set_span_in_context(NonRecordingSpan(context), Context())


def _ns(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1000
