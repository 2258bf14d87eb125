"""Counting on the way. Ray's counters take what they are told without a cluster too."""

import asyncio

import pytest

from serve_app.observability.metrics import MeteredLog
from serve_app.observability.tallies import TALLIES
from serve_app.ports import LogEvent
from tests.fakes.ports import MemoryLog


@pytest.fixture(scope="module")
def kept() -> MemoryLog:
    return MemoryLog()


@pytest.fixture(scope="module")
def log(kept: MemoryLog) -> MeteredLog:
    return MeteredLog(kept)


@pytest.mark.parametrize("kind", [*TALLIES, "started", "ended"])
def test_every_event_is_passed_on(kept: MemoryLog, log: MeteredLog, kind: str) -> None:
    data = {"stage": "llm", "failed": "a", "instead": "b", "requests": 1, "tokens": 0, "characters": 7}
    event = LogEvent("conv_1", len(kept.events), 0.0, kind, data)
    log.append(event)
    assert kept.events[-1] is event


def test_flushing_flushes(kept: MemoryLog, log: MeteredLog) -> None:
    log.append(LogEvent("conv_1", 0, 0.0, "ended", {}))
    asyncio.run(log.flush())
    assert kept.flushed == len(kept.events)
