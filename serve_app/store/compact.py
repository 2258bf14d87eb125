"""A call in figures: how long its silences were, how surely it was understood, what went wrong."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from serve_app.conversation.turn_metrics import breaches
from serve_app.store.transcript import Row


def compact(conversation: Row, turns: Sequence[Row], notes: Sequence[Row]) -> dict[str, Any]:
    """`turns` and `notes` (events) in order of `sequence`; the latencies are those of `turn_metrics`, in milliseconds.

    duration          seconds; so far, of a call that goes on
    message_count     turns with text, of both sides
    ttfb_ms           of each answer: the voice was asked -> its first audio
    turn_transitions  of each answer: the caller stopped -> the first audio of it left, in ms
    asr_confidence    of each spoken turn of the caller's, 0..1
    none_responses    turns that ended without a word
    interruptions     answers that the caller's voice stopped
    breaches          {stage: {level: how often}}: turns in which it took longer than its target, or than is critical
    """
    kinds = [note["kind"] for note in notes]
    spoken = [turn for turn in turns if turn["role"] == "user" and turn["source_medium"] == "audio"]
    return {
        "conversation_id": conversation["id"],
        "duration": round(conversation["duration"], 3),
        "message_count": conversation["user_messages"] + conversation["agent_messages"],
        "metrics": {
            "ttfb_ms": list(_milliseconds("convai_tts_service_ttfb", turns)),
            "asr_confidence": [turn["confidence"] for turn in spoken if turn["confidence"] is not None],
            "none_responses": kinds.count("none_response"),
            "interruptions": kinds.count("interruption"),
            "turn_transitions": list(_milliseconds("convai_ttf_audio_since_silence", turns)),
            "breaches": _breaches(turns, notes),
        },
    }


def _milliseconds(latency: str, turns: Sequence[Row]) -> Iterator[float]:
    for turn in turns:
        seconds = msgspec.json.decode(turn["metrics"]).get(latency)
        if seconds is not None:
            yield round(seconds * 1000, 1)


def _breaches(turns: Sequence[Row], notes: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Of an interruption the note has the latency, of all else the turn."""
    measured = [msgspec.json.decode(turn["metrics"]) for turn in turns]
    measured += [msgspec.json.decode(note["data"]).get("metrics", {}) for note in notes]
    counted = Counter(breach for latencies in measured for breach in breaches(latencies))
    return {stage: {level: n for (of, level), n in counted.items() if of == stage} for stage, _ in sorted(counted)}
