"""What is made of a record, checked against OpenTelemetry's own definition of a trace."""

import base64
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serve_app.observability.spans import SpanName
from serve_app.store.otlp import LONGEST_VALUE, otlp_traces
from tests.fakes.otlp_receiver import ReceivedSpan, spans_of

BEGAN = 1_700_000_000


def entry(role: str, message: str | None, at_s: float, **fields: Any) -> dict[str, Any]:
    return {
        "role": role,
        "message": message,
        "interrupted": False,
        "created_at_unix_ms": round((BEGAN + at_s) * 1000),
        "tool_calls": [],
        "tool_results": [],
        "conversation_turn_metrics": {"metrics": {}},
        **fields,
    }


def conversation(*transcript: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "conversation_id": "conv_1",
        "agent_id": "shop",
        "status": "done",
        "transcript": list(transcript),
        "metadata": {
            "start_time_unix_secs": BEGAN,
            "call_duration_secs": 20,
            "termination_reason": "client disconnected",
            "main_language": "pt",
        },
        **fields,
    }


def spans(record: dict[str, Any]) -> list[ReceivedSpan]:
    """As a collector takes them. Ids are hex in OTLP's JSON, where protobuf's own has base64."""
    traces = otlp_traces(record)
    for span in traces["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in span:
                span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return spans_of(ParseDict(traces, ExportTraceServiceRequest()))


ASKED = {"request_id": "a", "tool_name": "find_order", "type": "webhook", "params_as_json": '{"number":7}'}
ANSWERED = {"request_id": "a", "result_value": "on its way", "is_error": False, "tool_latency_secs": 0.25}
METRICS = {"convai_tts_service_ttfb": {"elapsed_time": 0.1}, "convai_ttf_audio_since_silence": {"elapsed_time": 0.35}}


def test_a_call_is_a_tree_in_the_order_of_what_was_said() -> None:
    answer = entry(
        "agent",
        "On its way.",
        5.5,
        tool_calls=[ASKED],
        tool_results=[ANSWERED],
        conversation_turn_metrics={"metrics": METRICS},
    )
    root, question, answered, tool = spans(conversation(entry("user", "My order?", 4), answer))
    assert [span.name for span in (root, question, answered, tool)] == [
        "elevenlabs.conversation",
        "elevenlabs.recv.user_transcript",
        "elevenlabs.recv.agent_response",
        "elevenlabs.tool.find_order",
    ]
    assert [span.parent_id for span in (root, question, answered, tool)] == [
        "", root.span_id, root.span_id, answered.span_id,
    ]  # fmt: skip
    assert {span.trace_id for span in (root, question, answered, tool)} == {
        f"{SpanName.of_conversation('conv_1', 0).trace_id:032x}"
    }
    assert [(span.began - BEGAN, span.ended - BEGAN) for span in (root, question, answered, tool)] == [
        (0, 20), (4, 5.5), (5.5, 20), (5.5, pytest.approx(5.75)),
    ]  # fmt: skip
    assert question.attributes == {"elevenlabs.turn.index": 0, "elevenlabs.user.text": "My order?"}
    assert answered.attributes == {
        "elevenlabs.turn.index": 1,
        "elevenlabs.agent.text": "On its way.",
        "elevenlabs.metric.convai_tts_service_ttfb_ms": 100.0,
        "elevenlabs.metric.convai_ttf_audio_since_silence_ms": 350.0,
    }
    assert (tool.attributes["elevenlabs.tool.parameters"], tool.attributes["elevenlabs.tool.result"]) == (
        '{"number":7}', "on its way",
    )  # fmt: skip
    assert root.resource["elevenlabs.conversation_id"] == "conv_1"
    assert root.resource["elevenlabs.agent_id"] == "shop"


def test_failures_are_told() -> None:
    refused = ANSWERED | {"is_error": True, "result_value": "x" * 10_000}
    tools = {"tool_calls": [ASKED], "tool_results": [refused]}
    root, cut_off, tool = spans(conversation(entry("agent", None, 1, interrupted=True, **tools), status="failed"))
    assert (root.failed, cut_off.failed, tool.failed) == (True, False, True)
    assert cut_off.attributes["elevenlabs.interrupted"] is True
    assert "elevenlabs.agent.text" not in cut_off.attributes
    assert len(tool.attributes["elevenlabs.tool.result"]) == LONGEST_VALUE


def test_a_tool_without_an_answer_has_taken_no_time() -> None:
    *_, tool = spans(conversation(entry("agent", "", 1, tool_calls=[ASKED])))
    assert tool.seconds == 0
    assert "elevenlabs.tool.result" not in tool.attributes


def test_a_call_without_words_is_its_root() -> None:
    [root] = spans(conversation())
    assert root.seconds == 20


def test_ids_are_the_same_each_time_and_nobody_else_s() -> None:
    record = conversation(entry("user", "a", 1), entry("agent", "b", 2), entry("user", "c", 3))
    first, again, other = (spans(each) for each in (record, record, record | {"conversation_id": "conv_2"}))
    assert first == again
    ids = {span.span_id for span in (*first, *other)}
    assert len(ids) == 8
    assert f"{SpanName.of_conversation('conv_1', 0).span_id:016x}" not in ids, "a live trace has its own spans"
