"""Counting on the way. Ray's instruments take what they are told without a cluster too."""

import asyncio
from typing import Any

import pytest

from serve_app.conversation.turn_metrics import STAGES
from serve_app.observability import metered_log
from serve_app.observability.metered_log import MeteredLog, boundaries
from serve_app.observability.tallies import TALLIES
from serve_app.ports import LogEvent
from tests.fakes.ports import MemoryLog
from tests.observability.instruments import Instruments


@pytest.fixture(scope="module")
def kept() -> MemoryLog:
    return MemoryLog()


@pytest.fixture(scope="module")
def log(kept: MemoryLog) -> MeteredLog:
    return MeteredLog(kept)


@pytest.mark.parametrize("kind", [*TALLIES, "audio"])
def test_every_event_is_passed_on(kept: MemoryLog, log: MeteredLog, kind: str) -> None:
    data = {"stage": "llm", "failed": "a", "instead": "b", "requests": 1, "tokens": 0, "characters": 7}
    event = LogEvent("conv_1", len(kept.entries), 0.0, kind, data)
    log.append(event)
    assert kept.entries[-1] is event


def test_flushing_flushes(kept: MemoryLog, log: MeteredLog) -> None:
    log.append(LogEvent("conv_1", 0, 0.0, "ended", {}))
    asyncio.run(log.flush())
    assert kept.flushed == len(kept.entries)


def labelled(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def test_a_turn_is_counted_under_its_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    instruments = Instruments(monkeypatch, metered_log)
    log = MeteredLog(MemoryLog())

    def happens(kind: str, **data: Any) -> None:
        log.append(LogEvent("conv_1", 0, 0.0, kind, data))

    happens("started", agent_id="sales")
    happens("user_turn", text="", metrics={"hello_vad_latency": 0.025, "convai_asr_trailing_service_latency": 0.0})
    happens("agent_turn", text="", metrics={"convai_ttf_audio_since_silence": 0.5, "convai_tts_service_ttfb": 0.1})
    happens("interruption", metrics={"hello_interruption_latency": 0.09})
    happens("ended", status="done", close_code=1000)

    sales = labelled(agent="sales")
    assert instruments["hello_conversations_begun_total"].sums == {sales: 1}
    assert instruments["hello_turns_total"].sums == {
        labelled(agent="sales", role="user"): 1,
        labelled(agent="sales", role="agent"): 1,
    }
    assert instruments["hello_breaches_total"].sums == {
        labelled(agent="sales", stage="vad", level="target"): 1,
        labelled(agent="sales", stage="turn_transition", level="critical"): 1,
        labelled(agent="sales", stage="interruption", level="target"): 1,
    }
    assert instruments["hello_conversations_ended_total"].sums == {
        labelled(agent="sales", status="done", close_code="1000"): 1
    }
    observed = {stage.name: instruments[f"hello_{stage.name}_ms"].newest for stage in STAGES}
    assert observed == {
        "vad": {sales: 25.0},
        "stt": {sales: 0.0},
        "llm": {},
        "tts": {sales: 100.0},
        "interruption": {sales: 90.0},
        "turn_transition": {sales: 500.0},
    }


def test_what_is_promised_of_a_stage_is_the_end_of_a_bucket() -> None:
    for stage in STAGES:
        ends = boundaries(stage)
        assert ends == sorted(set(ends))
        assert {stage.target_ms, stage.critical_ms} - {None} <= set(ends)
