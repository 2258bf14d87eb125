"""A call in figures, without a database."""

from typing import Any

import msgspec

from serve_app.store.compact import compact

CALL = {"id": "c", "duration": 1.0, "user_messages": 1, "agent_messages": 1}


def turn(role: str, **latencies: float) -> dict[str, Any]:
    return {"role": role, "source_medium": "audio", "confidence": None, "metrics": msgspec.json.encode(latencies)}


def note(kind: str, **data: Any) -> dict[str, Any]:
    return {"kind": kind, "data": msgspec.json.encode(data)}


def breaches(turns: list[dict[str, Any]], notes: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = compact(CALL, turns, notes)["metrics"]["breaches"]
    return counted


def test_breaches_are_counted_by_stage_and_level() -> None:
    turns = [
        turn("user", hello_vad_latency=0.025, convai_asr_trailing_service_latency=0.4),
        turn("agent", convai_tts_service_ttfb=0.25, convai_ttf_audio_since_silence=0.2),
        turn("user", hello_vad_latency=0.05, convai_asr_trailing_service_latency=0.4),
        turn("agent", convai_tts_service_ttfb=0.29),
    ]
    notes = [note("interruption", turn=2, metrics={"hello_interruption_latency": 0.1}), note("interruption", turn=3)]
    assert breaches(turns, notes) == {
        "vad": {"target": 1, "critical": 1},
        "stt": {"critical": 2},
        "tts": {"target": 2},
        "interruption": {"target": 1},
    }


def test_a_call_that_kept_its_promises_has_none() -> None:
    assert breaches([turn("user"), turn("agent", convai_ttf_audio_since_silence=0.3)], [note("error")]) == {}
