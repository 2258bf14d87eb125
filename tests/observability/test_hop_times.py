import asyncio
import itertools
import logging

import pytest

from serve_app.errors import ProviderError
from serve_app.hops import Hop
from serve_app.observability import hop_times
from serve_app.observability.hop_times import HopTimes
from tests.observability.instruments import Instruments
from tests.virtual_time import run


class Way:
    """How long it is, from one measurement to the next; None: nobody answers."""

    def __init__(self, *ms: float | None) -> None:
        self._ms = iter(ms)

    async def __call__(self) -> float:
        await asyncio.sleep(0)
        ms = next(self._ms)
        if ms is None:
            raise ProviderError("no answer")
        return ms


@pytest.fixture
def instruments(monkeypatch: pytest.MonkeyPatch) -> Instruments:
    return Instruments(monkeypatch, hop_times)


def watch(times: HopTimes, seconds: float) -> None:
    async def perform() -> None:
        watching = asyncio.create_task(times.watch())
        await asyncio.sleep(seconds)
        watching.cancel()

    run(perform())


def test_what_was_measured_is_told_as_long_as_ray_remembers_it_and_then_anew(instruments: Instruments) -> None:
    watch(HopTimes([Hop("stt", 50, Way(41.257, 30))]), 305)
    told = [(at, value) for at, value, _ in instruments["hello_hop_ms"].told]
    assert told[:2] == [(0, 41.26), (5, 41.26)]
    assert told[-1] == (pytest.approx(300), 30)
    assert len(told) == 61
    assert instruments["hello_hop_budget_ms"].newest == {(("hop", "stt"),): 50}


def test_of_what_does_not_answer_nothing_is_told(instruments: Instruments) -> None:
    times = HopTimes([Hop("stt", 50, Way(None)), Hop("database", 10, Way(0.4))])
    assert times.describe() == {}
    watch(times, 1)
    assert instruments["hello_hop_ms"].newest == {(("hop", "database"),): 0.4}
    assert times.describe() == {
        "stt": {"ms": None, "budget_ms": 50},
        "database": {"ms": 0.4, "budget_ms": 10},
    }


def test_a_hop_that_hangs_keeps_nothing_from_being_told(instruments: Instruments) -> None:
    async def hang() -> float:
        await asyncio.sleep(5)
        raise ProviderError("no answer")

    hanging = [Hop(name, 50, hang) for name in ("llm", "llm_backup", "guard", "tts")]
    watch(HopTimes([Hop("stt", 50, Way(120, 120)), *hanging, Hop("database", 10, Way(0.4, 0.4))]), 600)
    told = [at for at, _, tags in instruments["hello_hop_ms"].told if tags == (("hop", "stt"),)]
    assert told[0] == 0
    assert max(later - earlier for earlier, later in itertools.pairwise(told)) <= 5


def test_one_line_at_the_start_and_one_whenever_another_hop_takes_too_long(
    instruments: Instruments, caplog: pytest.LogCaptureFixture
) -> None:
    stt, database = Way(41, 120, 120, 41), Way(0.4, 0.4, None, None)
    with caplog.at_level(logging.INFO, logger="serve_app"):
        watch(HopTimes([Hop("stt", 50, stt), Hop("database", 10, database)]), 901)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]
    assert caplog.messages[0] == "round trips in ms: stt 41 of 50, database 0.4 of 10"
    assert caplog.messages[1].startswith("too far away: stt. ")
    assert "HOP_BUDGETS_MS" in caplog.messages[1]
    assert caplog.messages[2] == "round trips in ms: stt 41 of 50, database no answer of 10"
