"""Rows of a stored conversation -> ElevenLabs' transcript: who said what, with the tools and the feedback where they
belong."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from serve_app.conversation.guarding import CLASSIFIER
from serve_app.conversation.turn_metrics import wire

Row = Mapping[str, Any]
Entry = dict[str, Any]


def transcript(
    conversation: Row,
    turns: Sequence[Row],
    calls: Sequence[Row],
    feedback: Sequence[Row],
    transfers: Sequence[Row],
    guardrails: Sequence[Row],
) -> list[Entry]:
    """All in order of `sequence`."""
    entries = {turn["sequence"]: _spoken(turn) for turn in turns}
    for call in calls:
        owner = _owner(call, turns)
        entry = entries.setdefault(call["sequence"] if owner is None else owner, _entry("agent", call))
        _add_call(entry, call)
    for given in feedback:
        if given["score"] and (judged := _judged(given, turns)) is not None:
            seconds = (given["at"] - conversation["started_at"]).total_seconds()
            entries[judged]["feedback"] = {"score": given["score"], "time_in_call_secs": max(0, int(seconds))}
    for guardrail in guardrails:
        if (found_in := _found_in(guardrail, turns)) is not None:
            entries[found_in]["triggered_guardrails"].append(_triggered(guardrail))
    for sequence, entry in entries.items():
        if entry["role"] == "agent":
            entry["agent_metadata"] = {"agent_id": _agent_at(sequence, conversation["agent_id"], transfers)}
    return [entry for _, entry in sorted(entries.items())]


def _spoken(turn: Row) -> Entry:
    return _entry(turn["role"], turn) | {
        "message": turn["message"],
        "original_message": turn["original_message"],
        "interrupted": turn["interrupted"],
        "ignored_as_backchannel": turn["ignored_as_backchannel"],
        "source_medium": turn["source_medium"],
        "source_event_id": turn["event_id"],
        "conversation_turn_metrics": wire(msgspec.json.decode(turn["metrics"])),
    }


def _entry(role: str, row: Row) -> Entry:
    """Without words: an answer may have been nothing but tools."""
    return {
        "role": role,
        "message": None,
        "original_message": None,
        "interrupted": False,
        "ignored_as_backchannel": False,
        "source_medium": None,
        "source_event_id": None,
        "time_in_call_secs": int(row["time_in_call_secs"]),
        "created_at_unix_ms": round(row["at"].timestamp() * 1000),
        "tool_calls": [],
        "tool_results": [],
        "feedback": None,
        "triggered_guardrails": [],
        "conversation_turn_metrics": wire({}),
    }


def _owner(call: Row, turns: Sequence[Row]) -> int | None:
    """The words of the same answer that were said before it, else those after."""
    of_answer = [turn["sequence"] for turn in turns if turn["role"] == "agent" and turn["reply"] == call["reply"]]
    before = [sequence for sequence in of_answer if sequence < call["sequence"]]
    return before[-1] if before else of_answer[0] if of_answer else None


def _add_call(entry: Entry, call: Row) -> None:
    named = {"request_id": call["tool_call_id"], "tool_name": call["tool_name"], "type": call["type"]}
    details = {"type": "client", "parameters": call["params_as_json"]} if call["type"] == "client" else None
    reached = call["is_called"] is not False  # null: there is no result yet
    request = {"params_as_json": call["params_as_json"], "tool_details": details}
    entry["tool_calls"].append({**named, **request, "tool_has_been_called": reached})
    if call["result"] is not None:
        outcome = {"result_value": call["result"], "is_error": call["is_error"]}
        latency = {"tool_latency_secs": call["latency_secs"]}
        entry["tool_results"].append({**named, **outcome, **latency, "tool_has_been_called": reached})


def _judged(given: Row, turns: Sequence[Row]) -> int | None:
    """Clients name the newest audio or text that they got: it belongs to the newest turn that had begun by then."""
    begun = [
        turn["sequence"] for turn in turns if turn["role"] == "agent" and (turn["event_id"] or 0) <= given["event_id"]
    ]
    return begun[-1] if begun else None


def _found_in(guardrail: Row, turns: Sequence[Row]) -> int | None:
    """The caller's words that were just said; of an answer what was said before it was found, else after."""
    if guardrail["stage"] == "input":
        said = [turn["sequence"] for turn in turns if turn["role"] == "user" and not turn["ignored_as_backchannel"]]
        return next((sequence for sequence in reversed(said) if sequence < guardrail["sequence"]), None)
    return _owner({"reply": guardrail["turn"], "sequence": guardrail["sequence"]}, turns)


def _triggered(guardrail: Row) -> Entry:
    late = guardrail["rule"] == CLASSIFIER or guardrail["action"] == "ignore"
    return {
        "guardrail_type": "prompt_injection",
        "guardrail_name": f"{guardrail['stage']}: {guardrail['rule']}",
        "execution_mode": "streaming" if late else "blocking",
        "guardrail_details": {"type": "unknown"},
    }


def _agent_at(sequence: int, first: str, transfers: Sequence[Row]) -> str:
    before = [transfer["agent_id"] for transfer in transfers if transfer["sequence"] < sequence]
    return str(before[-1]) if before else first
