"""A call in which everything happens that a record can tell of."""

from typing import Any

from serve_app.ports import LogEvent
from tests.store.samples import event

OVERRIDE = {"agent": {"language": "pt"}}


def eventful_call(conversation_id: str, **started: Any) -> list[LogEvent]:
    """Greeting, a question with a tool, "uhum", a transfer, an answer that is cut off, a tool without words."""
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("started", _started() | started),
        ("agent_turn", _said(1, 0, "Olá!")),
        ("user_turn", _heard(2, "E o meu pedido?", 0.9)),
        ("tool_call", _call(1, "a", "find_order", "webhook", '{"number": 7}')),
        ("tool_result", _result("a", "find_order", "on its way")),
        (
            "agent_turn",
            _said(5, 1, "Está a caminho.", convai_tts_service_ttfb=0.1, convai_ttf_audio_since_silence=0.35),
        ),
        ("audio", {"event_id": 6, "turn": 1, "start": 0, "end": 5}),
        ("feedback", {"event_id": 6, "score": "dislike"}),
        ("feedback", {"event_id": 6, "score": "like"}),
        ("backchannel", {"role": "user", "text": "uhum", "time_in_call_secs": 6.0}),
        ("backchannel", {"role": "agent", "text": "uhum", "time_in_call_secs": 6.5}),
        ("user_turn", _heard(7, "Quero comprar.", 0.8)),
        ("fallback", {"stage": "llm", "failed": "big", "why": "it was late", "instead": "small"}),
        ("tool_call", _call(2, "a", "transfer_to_agent", "system", '{"agent_number": 0}')),
        ("transfer", {"agent_id": "sales", "turn": 2}),
        ("tool_result", _result("a", "transfer_to_agent", "done")),
        ("agent_turn", _said(9, 2, "Temos cinco modelos.", convai_tts_service_ttfb=0.2)),
        ("interruption", {"event_id": 10, "turn": 2}),
        ("correction", {"event_id": 9, "original": "Temos cinco modelos.", "corrected": "Temos"}),
        ("resumed", {"last_event_id": 10, "same_replica": True, "lost_events": 2, "away_secs": 2.25}),
        ("user_turn", _heard(11, "Anything in blue?", 0.7, language="en")),
        ("tool_call", _call(3, "b", "shop", "client", "{}")),
        ("tool_result", _result("b", "shop", "no such tool", is_error=True, is_called=False)),
        ("none_response", {"turn": 3}),
        ("error", {"code": 1002, "error_type": "llm_error", "message": "no answer"}),
        ("judgement", {"of": "pause", "rules": "wait", "decided": "wait", "changed": False}),
        ("ended", {"reason": "client disconnected", "close_code": 1000, "duration_secs": 27.5, "status": "done"}),
    ]
    return [event(conversation_id, sequence, kind, **data) for sequence, (kind, data) in enumerate(kinds)]


def _started() -> dict[str, Any]:
    client = {"user_id": "u-1", "source": "python_sdk", "version": "2.78.0", "authorization_method": "public"}
    formats = {"input_format": "pcm_16000", "output_format": "pcm_16000", "text_only": False}
    variables = {"plan": "gold", "age": 41}
    initiation = {"conversation_config_override": OVERRIDE, "dynamic_variables": variables}
    return {"agent_id": "default", "language": "pt", "record": True, "initiation": initiation, **client, **formats}


def _said(event_id: int, turn: int, text: str, **metrics: float) -> dict[str, Any]:
    return {"text": text, "event_id": event_id, "turn": turn, "time_in_call_secs": event_id * 1.5, "metrics": metrics}


def _heard(event_id: int, text: str, confidence: float, language: str = "pt") -> dict[str, Any]:
    heard = {"text": text, "language": language, "confidence": confidence, "medium": "audio"}
    metrics = {"convai_asr_trailing_service_latency": 0.1}
    return {**heard, "event_id": event_id, "time_in_call_secs": event_id * 1.5, "metrics": metrics}


def _call(turn: int, call_id: str, name: str, kind: str, arguments: str) -> dict[str, Any]:
    named = {"tool_call_id": call_id, "tool_name": name, "type": kind, "params_as_json": arguments}
    return {"event_id": 4, "turn": turn, "time_in_call_secs": 4.5, **named}


def _result(call_id: str, name: str, told: str, *, is_error: bool = False, is_called: bool = True) -> dict[str, Any]:
    flags = {"is_error": is_error, "is_called": is_called}
    return {"tool_call_id": call_id, "tool_name": name, "result": told, "latency_secs": 0.25, **flags}
