"""Log events as a session writes them."""

from typing import Any

from serve_app.ports import LogEvent

STARTED_UNIX = 1_760_000_000.25


def event(conversation_id: str, sequence: int, kind: str, **data: Any) -> LogEvent:
    return LogEvent(conversation_id, sequence, STARTED_UNIX + sequence, kind, data)


def started(conversation_id: str) -> LogEvent:
    formats = {"input_format": "pcm_16000", "output_format": "pcm_16000"}
    client = {"source": "python_sdk", "version": "2.78.0", "user_id": "u-1", "authorization_method": "signed_url"}
    return event(conversation_id, 0, "started", agent_id="default", language="pt", **client, **formats)


def user_turn(conversation_id: str, sequence: int, text: str) -> LogEvent:
    heard = {"language": "pt", "confidence": 0.91, "medium": "audio"}
    timing = {"event_id": sequence, "time_in_call_secs": 2.75, "metrics": {"convai_asr_trailing_service_latency": 0.12}}
    return event(conversation_id, sequence, "user_turn", text=text, **heard, **timing)


def agent_turn(conversation_id: str, sequence: int, text: str) -> LogEvent:
    timing = {"time_in_call_secs": 3.5, "metrics": {"convai_llm_service_ttfb": 0.2, "convai_tts_service_ttfb": 0.1}}
    return event(conversation_id, sequence, "agent_turn", text=text, event_id=sequence, turn=sequence, **timing)


def audio(conversation_id: str, sequence: int) -> LogEvent:
    return event(conversation_id, sequence, "audio", event_id=sequence, turn=2, start=sequence, end=sequence + 1)


def interrupted_call(conversation_id: str) -> list[LogEvent]:
    """A call of two turns, the second of them cut short by the caller."""
    return [
        started(conversation_id),
        user_turn(conversation_id, 1, "Quero saber o horário."),
        agent_turn(conversation_id, 2, "Abrimos às nove e fechamos às seis."),
        audio(conversation_id, 3),
        event(conversation_id, 4, "interruption", event_id=40, turn=2),
        event(
            conversation_id,
            5,
            "correction",
            event_id=2,
            original="Abrimos às nove e fechamos às seis.",
            corrected="Abrimos às nove",
        ),
        event(conversation_id, 6, "feedback", event_id=3, score="like"),
        event(conversation_id, 7, "ended", reason="user hung up", close_code=1000, duration_secs=7.4, status="done"),
    ]
