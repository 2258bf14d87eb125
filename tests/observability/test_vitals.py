import asyncio

import pytest

from serve_app.observability import vitals
from serve_app.observability.vitals import Vitals
from tests.observability.instruments import Instruments
from tests.virtual_time import run


class Backlog:
    """A log whose database is away."""

    def __init__(self) -> None:
        self.waiting = (0, 0, 0.0)
        self.dropped = self.refused = 0

    def behind(self) -> tuple[int, int, float]:
        return self.waiting


@pytest.fixture
def instruments(monkeypatch: pytest.MonkeyPatch) -> Instruments:
    return Instruments(monkeypatch, vitals)


def test_a_replica_tells_how_it_is_as_long_as_it_lives(instruments: Instruments) -> None:
    async def scenario() -> None:
        calls, backlog = [1, 2, 3], Backlog()
        watching = asyncio.create_task(Vitals(lambda: len(calls), backlog).watch())
        await asyncio.sleep(7)
        calls.pop()
        backlog.waiting = (40, 1000, 12.5)
        await asyncio.sleep(7)
        watching.cancel()

    run(scenario())
    assert [value for _, value, _ in instruments["hello_conversations"].told] == [3, 3, 2]
    assert instruments["hello_tasks"].newest == {(): 2}
    assert instruments["hello_spool_events"].newest == {(): 40}
    assert instruments["hello_spool_bytes"].newest == {(): 1000}
    assert instruments["hello_spool_age_seconds"].newest == {(): 12.5}


def test_what_is_lost_is_counted_once(instruments: Instruments) -> None:
    async def scenario() -> None:
        backlog = Backlog()
        told = Vitals(lambda: 0, backlog)
        for backlog.dropped, backlog.refused in ((0, 0), (5, 0), (5, 2), (9, 2)):
            told.tell()

    run(scenario())
    assert instruments["hello_unstored_events_total"].sums == {
        (("why", "dropped"),): 9,
        (("why", "refused"),): 2,
    }
