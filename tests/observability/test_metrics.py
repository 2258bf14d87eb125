"""Counting on the way. Ray's counters take what they are told without a cluster too."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from serve_app.conversation.breaker import State
from serve_app.observability import metrics
from serve_app.observability.metrics import LAG_EVERY_S, BreakerStates, LoopLag, MeteredLog
from serve_app.observability.tallies import TALLIES
from serve_app.ports import LogEvent
from tests.fakes.ports import MemoryLog
from tests.virtual_time import VirtualTimeLoop, run

RAY_PASSES_ON_EVERY_S = 10.0  # and what was not told meanwhile is not passed on


@pytest.fixture(scope="module")
def kept() -> MemoryLog:
    return MemoryLog()


@pytest.fixture(scope="module")
def log(kept: MemoryLog) -> MeteredLog:
    return MeteredLog(kept)


@pytest.mark.parametrize("kind", [*TALLIES, "started", "ended"])
def test_every_event_is_passed_on(kept: MemoryLog, log: MeteredLog, kind: str) -> None:
    data = {"stage": "llm", "failed": "a", "instead": "b", "requests": 1, "tokens": 0, "characters": 7}
    event = LogEvent("conv_1", len(kept.entries), 0.0, kind, data)
    log.append(event)
    assert kept.entries[-1] is event


def test_flushing_flushes(kept: MemoryLog, log: MeteredLog) -> None:
    log.append(LogEvent("conv_1", 0, 0.0, "ended", {}))
    asyncio.run(log.flush())
    assert kept.flushed == len(kept.entries)


class ToldGauge:
    """In the place of Ray's, which cannot be read: keeps what it is told, and when."""

    told: list[tuple[float, float, dict[str, str]]]

    def __init__(self, name: str, description: str, tag_keys: Sequence[str]) -> None:
        ToldGauge.told = []

    def set(self, value: float, tags: dict[str, str]) -> None:
        self.told.append((asyncio.get_running_loop().time(), value, tags))


def test_the_state_of_a_breaker_is_told_for_as_long_as_ray_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "Gauge", ToldGauge)

    async def scenario() -> None:
        states = BreakerStates()
        states("groq", State.CLOSED)
        states("espeak", State.CLOSED)
        states("groq", State.OPEN)
        watching = asyncio.create_task(states.watch())
        await asyncio.sleep(60)
        watching.cancel()

    run(scenario())
    for name, state in (("groq", State.OPEN), ("espeak", State.CLOSED)):
        told = [(at, value) for at, value, tags in ToldGauge.told if tags == {"provider": name}]
        assert told[-1][1] == state.value
        times = [*(at for at, _ in told), 60.0]
        assert max(later - earlier for earlier, later in pairwise(times)) < RAY_PASSES_ON_EVERY_S


def test_how_late_the_loop_is_is_told() -> None:
    late: list[float] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        watching = asyncio.create_task(LoopLag(late.append).watch())
        await asyncio.sleep(2.5 * LAG_EVERY_S)
        loop.stall(0.3)
        await asyncio.sleep(2 * LAG_EVERY_S)
        watching.cancel()

    run(scenario())
    assert late[:2] == pytest.approx([0.0, 0.0])
    assert max(late) == pytest.approx(0.3 - LAG_EVERY_S / 2, abs=0.001)


def test_breakers_are_named() -> None:
    states = BreakerStates()
    states("groq", State.OPEN)
    assert states.by_provider == {"groq": "open"}
