import gzip
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.otlp_receiver import PROTOBUF, OtlpReceiver

TYPE = {"content-type": PROTOBUF}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def a_request() -> bytes:
    request = ExportTraceServiceRequest()
    each = request.resource_spans.add()
    each.resource.attributes.add(key="service.name").value.string_value = "shop"
    span = each.scope_spans.add().spans.add(name="sell", trace_id=b"t" * 16, span_id=b"s" * 8, parent_span_id=b"p" * 8)
    span.kind = Span.SPAN_KIND_SERVER
    span.start_time_unix_nano, span.end_time_unix_nano = 1_000_000_000, 3_500_000_000
    span.attributes.add(key="pieces").value.int_value = 3
    span.attributes.add(key="paid").value.bool_value = False
    span.status.code = 2
    return request.SerializeToString()


@pytest.mark.parametrize("zipped", [False, True])
def test_spans_are_kept_as_they_were_sent(receiver: OtlpReceiver, zipped: bool) -> None:
    body = gzip.compress(a_request()) if zipped else a_request()
    headers = TYPE | ({"content-encoding": "gzip"} if zipped else {})
    answer = httpx.post(f"{receiver.url}/v1/traces", content=body, headers=headers)
    assert answer.status_code == 200
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    [span] = receiver.spans
    assert (span.name, span.kind, span.began, span.seconds, span.failed) == ("sell", "server", 1.0, 2.5, True)
    assert (span.trace_id, span.span_id, span.parent_id) == ((b"t" * 16).hex(), (b"s" * 8).hex(), (b"p" * 8).hex())
    assert span.attributes == {"pieces": 3, "paid": False}
    assert span.resource == {"service.name": "shop"}
    assert receiver.headers[0]["content-type"] == PROTOBUF


def test_what_is_no_export_is_refused(receiver: OtlpReceiver) -> None:
    def status(path: str, body: bytes, headers: dict[str, str]) -> int:
        return httpx.post(f"{receiver.url}{path}", content=body, headers=headers).status_code

    assert status("/v1/logs", a_request(), TYPE) == 404
    assert status("/v1/traces", a_request(), {"content-type": "application/json"}) == 415
    assert status("/v1/traces", b"\xff\xff", TYPE) == 400
    receiver.status = 503
    assert status("/v1/traces", a_request(), TYPE) == 503
    assert receiver.spans == []


def test_waiting_for_what_never_comes_fails(receiver: OtlpReceiver) -> None:
    with pytest.raises(AssertionError, match=r"within 0\.1 s there came no more than \[\]"):
        receiver.until(lambda spans: bool(spans), 0.1)
