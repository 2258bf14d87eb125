"""A stored conversation as a trace in OTLP's JSON, in the shape of ElevenLabs' `format=opentelemetry`.

https://elevenlabs.io/docs/eleven-agents/customization/opentelemetry-traces. It is made of the record, so every
conversation has one, traced live or not; a live trace of it (`serve_app.observability`) has the same trace id.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from serve_app.observability.spans import hashed

SERVICE = "automagik-hello"
SCOPE = {"name": "elevenlabs.convai", "version": "1.0.0"}
SOURCE = "post_call_webhook"
"""Which says how the spans were made: of the transcript, after the fact."""
LONGEST_VALUE = 4096
"""Characters of what a tool was given, and of what it answered."""

_OK, _ERROR = 1, 2  # opentelemetry.proto.trace.v1.Status.StatusCode

Json = dict[str, Any]


def otlp_traces(conversation: Mapping[str, Any]) -> Json:
    """`conversation` in ElevenLabs' shape. What is said lasts until something else is."""
    resource = {
        "service.name": SERVICE,
        "elevenlabs.conversation_id": conversation["conversation_id"],
        "elevenlabs.agent_id": conversation["agent_id"],
    }
    scope = {"scope": SCOPE, "spans": [*_Call(conversation).spans()]}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]}


class _Call:
    """Times in ms."""

    def __init__(self, conversation: Mapping[str, Any]) -> None:
        metadata = conversation["metadata"]
        self._conversation = conversation
        self._id = conversation["conversation_id"]
        self._begins = metadata["start_time_unix_secs"] * 1000
        last = max((entry["created_at_unix_ms"] for entry in conversation["transcript"]), default=0)
        self._ends = max(self._begins + metadata["call_duration_secs"] * 1000, last)

    def spans(self) -> Iterator[Json]:
        """The root first."""
        conversation, entries = self._conversation, self._conversation["transcript"]
        facts = {
            "elevenlabs.source": SOURCE,
            "elevenlabs.status": conversation["status"],
            "elevenlabs.termination_reason": conversation["metadata"]["termination_reason"],
            "elevenlabs.language": conversation["metadata"]["main_language"],
        }
        failed = conversation["status"] == "failed"
        yield self._span("elevenlabs.conversation", "", "", self._begins, self._ends, facts, failed=failed)
        begins = [entry["created_at_unix_ms"] for entry in entries]
        for index, (entry, begin, end) in enumerate(zip(entries, begins, [*begins, self._ends][1:], strict=True)):
            yield from self._turn(index, entry, begin, end)

    def _turn(self, index: int, entry: Mapping[str, Any], begin: int, end: int) -> Iterator[Json]:
        role = entry["role"]
        name = "user_transcript" if role == "user" else "agent_response"
        facts = {
            "elevenlabs.turn.index": index,
            f"elevenlabs.{role}.text": entry["message"],
            "elevenlabs.interrupted": entry["interrupted"] or None,
            **_metrics(entry),
        }
        yield self._span(f"elevenlabs.recv.{name}", f"/{index}", "", begin, end, facts)
        results = {result["request_id"]: result for result in entry["tool_results"]}
        for call in entry["tool_calls"]:
            yield self._tool(call, results.get(call["request_id"], {}), f"/{index}", begin)

    def _tool(self, call: Mapping[str, Any], result: Mapping[str, Any], parent: str, begin: int) -> Json:
        facts = {
            "elevenlabs.tool.name": call["tool_name"],
            "elevenlabs.tool.type": call["type"],
            "elevenlabs.tool.request_id": call["request_id"],
            "elevenlabs.tool.parameters": call["params_as_json"][:LONGEST_VALUE],
            "elevenlabs.tool.result": result["result_value"][:LONGEST_VALUE] if result else None,
        }
        name, own = f"elevenlabs.tool.{call['tool_name']}", f"{parent}/{call['request_id']}"
        end = begin + round((result.get("tool_latency_secs") or 0) * 1000)
        return self._span(name, own, parent, begin, end, facts, failed=bool(result.get("is_error")))

    def _span(
        self, name: str, path: str, parent: str, begin: int, end: int, facts: Mapping[str, Any], *, failed: bool = False
    ) -> Json:
        """`path` names it within the conversation, and `parent` another one; empty: the root."""
        return {
            "traceId": f"{hashed(self._id, 16):032x}",
            "spanId": self._span_id(path),
            **({"parentSpanId": self._span_id(parent)} if path else {}),
            "name": name,
            "kind": 1,
            "startTimeUnixNano": f"{begin * 1_000_000}",
            "endTimeUnixNano": f"{max(begin, end) * 1_000_000}",
            "attributes": _attributes(facts),
            "status": {"code": _ERROR if failed else _OK},
        }

    def _span_id(self, path: str) -> str:
        return f"{hashed(f'{self._id}/record{path}', 8):016x}"


def _metrics(entry: Mapping[str, Any]) -> dict[str, float]:
    metrics = entry["conversation_turn_metrics"]["metrics"]
    return {f"elevenlabs.metric.{name}_ms": round(each["elapsed_time"] * 1000, 1) for name, each in metrics.items()}


def _attributes(facts: Mapping[str, Any]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in facts.items() if value is not None]


def _value(value: Any) -> Json:
    """An AnyValue, whole numbers as strings: JSON has none of 64 bits."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": str(value)}
