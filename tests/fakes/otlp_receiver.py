"""A collector's HTTP end (OTLP 1.x, binary protobuf) on a loopback port: keeps the spans that it is sent."""

import gzip
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATH = "/v1/traces"
PROTOBUF = "application/x-protobuf"


class ReceivedSpan(NamedTuple):
    """Ids in hex, `parent_id` empty for a root; Unix seconds. `resource` says which process it is of."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began: float
    ended: float
    kind: str
    attributes: dict[str, Any]
    failed: bool
    resource: dict[str, Any]

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class OtlpReceiver:
    """A context manager that serves while it is open; `url` is what OTEL_EXPORTER_OTLP_ENDPOINT takes. `status` is what
    requests are answered with."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "OtlpReceiver":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def until(self, what: Callable[[list[ReceivedSpan]], bool], seconds: float = 15.0) -> list[ReceivedSpan]:
        """All spans, once they are as wanted."""
        deadline = time.monotonic() + seconds
        while not what(self.spans):
            names = sorted(span.name for span in self.spans)
            assert time.monotonic() < deadline, f"within {seconds} s there came no more than {names}"
            time.sleep(0.05)
        return list(self.spans)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        status = self.status if request.path == PATH else 404
        if status == 200:
            status = self._take(body, request)
        answer = ExportTraceServiceResponse().SerializeToString() if status == 200 else b""
        request.send_response(status)
        request.send_header("content-type", PROTOBUF)
        request.send_header("content-length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _take(self, body: bytes, request: BaseHTTPRequestHandler) -> int:
        if request.headers.get("content-type") != PROTOBUF:
            return 415
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        try:
            self.spans += spans_of(ExportTraceServiceRequest.FromString(body))
        except DecodeError:
            return 400
        return 200


def spans_of(request: ExportTraceServiceRequest) -> list[ReceivedSpan]:
    return [
        _received(span, _values(each.resource.attributes))
        for each in request.resource_spans
        for scope in each.scope_spans
        for span in scope.spans
    ]


def _received(span: Span, resource: dict[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano / 1e9,
        span.end_time_unix_nano / 1e9,
        Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        _values(span.attributes),
        span.status.code == Status.STATUS_CODE_ERROR,
        resource,
    )


def _values(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in attributes}
