"""What is counted on the way and what is counted in the store is the same, metric by metric and label by label."""

import asyncio
from typing import Any

import pytest

from serve_app.conversation.turn_metrics import STAGES
from serve_app.observability import metered_log
from serve_app.observability.metered_log import MeteredLog
from serve_app.observability.tallies import COUNTED
from serve_app.ports import LogEvent
from tests.fakes.ports import MemoryLog
from tests.observability.dashboards.ledger import Account, Labels, accounts, counts
from tests.observability.instruments import Instrument, Instruments
from tests.store import stored
from tests.store.calls import eventful_call

AT_TARGET = {stage.latency: stage.target_ms / 1000 for stage in STAGES if stage.target_ms}
AT_CRITICAL = {stage.latency: stage.critical_ms / 1000 for stage in STAGES if stage.critical_ms}
BEYOND = {latency: seconds + 0.0001 for latency, seconds in AT_CRITICAL.items()}


def troubled_call(conversation_id: str, agent_id: str) -> list[LogEvent]:
    """One of every kind that is counted."""
    said: dict[str, Any] = {"text": "", "language": "pt", "time_in_call_secs": 1.0}
    told: list[tuple[str, dict[str, Any]]] = [
        ("started", {"agent_id": agent_id, "language": "pt"}),
        ("user_turn", {**said, "event_id": 1, "metrics": AT_TARGET}),
        ("agent_turn", {**said, "event_id": 2, "turn": 1, "metrics": AT_CRITICAL}),
        ("user_turn", {**said, "event_id": 3, "metrics": BEYOND}),
        ("agent_turn", {**said, "event_id": 4, "turn": 2, "metrics": {"convai_llm_service_ttfb": 0.2}}),
        ("interruption", {"event_id": 5, "turn": 2, "metrics": {}}),
        ("fallback", {"stage": "tts", "failed": "ElevenLabs", "why": "late", "instead": "espeak-ng"}),
        ("kept", {"stage": "llm", "requests": 1}),
        ("discarded", {"stage": "llm", "requests": 1, "tokens": 7, "characters": 40}),
        ("discarded", {"stage": "stt", "requests": 1, "tokens": 0, "characters": 0}),
        ("none_response", {"turn": 2}),
        ("error", {"code": 1002, "error_type": "llm_error", "message": "away"}),
        ("failure", {"action": "retry", "error_type": "llm_error"}),
        ("guardrail", {"stage": "input", "action": "deflect", "rule": "override"}),
        ("line_quality", {"level": "bad"}),
        ("resumed", {"agent_id": agent_id, "away_secs": 1.0, "same_replica": True}),
        ("rate_limited", {"what": "messages"}),
        (
            "ended",
            {"status": "failed", "close_code": 1008, "reason": "", "duration_secs": 1.0, "error": None},
        ),
    ]
    return [LogEvent(conversation_id, n, 1e9 + n, kind, data) for n, (kind, data) in enumerate(told)]


def test_both_count_the_same(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instruments = Instruments(monkeypatch, metered_log)
    log = MeteredLog(MemoryLog())
    calls = [troubled_call("one", "sales"), troubled_call("two", "billing"), eventful_call("three")]
    for event in (event for call in calls for event in call):
        log.append(event)
    asyncio.run(stored.store_calls(database_url, *calls))
    for account, counted in asyncio.run(counts(database_url)).items():
        assert counted, f"{account.metric}: nothing to compare"
        assert told(instruments, account) == counted, account.metric


def test_every_count_of_conversations_has_an_account() -> None:
    metrics = {account.metric.partition("{")[0] for account in accounts()}
    assert {f"ray_{tally.name}" for tally in COUNTED} <= metrics


def told(instruments: Instruments, account: Account) -> dict[Labels, float]:
    """As Prometheus would add it up."""
    name, _, labels = account.metric.removeprefix("ray_").rstrip("}").partition("{")
    wanted = dict(label.split("=") for label in labels.replace('"', "").split(", ") if label)
    instrument = instruments[name.removesuffix("_count")]
    sums: dict[Labels, float] = {}
    for labelled, value in counted(instrument).items():
        if wanted.items() <= dict(labelled).items():
            key = tuple(dict(labelled)[label] for label in account.labels)
            sums[key] = sums.get(key, 0) + value
    return sums


def counted(instrument: Instrument) -> dict[Labels, float]:
    if not instrument.boundaries:
        return instrument.sums
    return {labels: sum(each == labels for _, _, each in instrument.told) for _, _, labels in instrument.told}
