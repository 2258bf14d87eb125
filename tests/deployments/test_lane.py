import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deployments.lane import FIRST_COST_S, LATEST_S, Lane, Late
from serve_app.errors import ProviderError
from serve_app.ports import Judgement, Question

PATIENCE_S = 20.0
"""Of a test, on the slowest machine."""


class Engine:
    """Judges while it is held, and takes `cost_s` of a clock that only it moves."""

    def __init__(self, cost_s: float = FIRST_COST_S) -> None:
        self.cost_s = cost_s
        self.now = 0.0
        self.judged: list[bytes] = []
        self.begun = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)

    def judge(self, question: Question) -> Judgement:
        self.begun.release()
        assert self.allowed.acquire(timeout=PATIENCE_S)
        if question.pcm == b"broken":
            raise ProviderError("no such sound")
        self.now += self.cost_s
        self.judged.append(question.pcm)
        return Judgement(0.7, 0.0)

    def clock(self) -> float:
        return self.now

    async def until_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.acquire, timeout=PATIENCE_S)


@asynccontextmanager
async def asked(lane: Lane, count: int) -> AsyncIterator[list[asyncio.Task[Judgement]]]:
    """`count` judgements, asked for in order; what is left of them is cancelled."""
    tasks = [asyncio.create_task(lane.judge(Question(str(number).encode()))) for number in range(count)]
    await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()


def played(score: Callable[[Engine], Coroutine[Any, Any, None]]) -> Engine:
    engine = Engine()

    async def within_patience() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await score(engine)

    try:
        asyncio.run(within_patience())
    finally:
        engine.allowed.release(100)  # no thread may outlive a failed test
    return engine


def refused(tasks: list[asyncio.Task[Judgement]]) -> list[int]:
    return [number for number, task in enumerate(tasks) if task.done() and isinstance(task.exception(), Late)]


def test_a_judgement_is_the_engines() -> None:
    async def score(engine: Engine) -> None:
        lane = Lane("lane", engine.judge, clock=engine.clock)
        engine.allowed.release()
        assert await lane.judge(Question(b"sound")) == Judgement(0.7, 0.0)

    assert played(score).judged == [b"sound"]


def test_what_cannot_be_in_time_is_refused_at_once() -> None:
    async def score(engine: Engine) -> None:
        async with asked(Lane("lane", engine.judge, clock=engine.clock), 20) as tasks:
            assert refused(tasks) == list(range(3, 20))  # three of 45 ms are in time
            engine.allowed.release(3)
            assert [await task for task in tasks[:3]] == [Judgement(0.7, 0.0)] * 3

    assert played(score).judged == [b"0", b"1", b"2"]


def test_two_threads_take_twice_as_many() -> None:
    async def score(engine: Engine) -> None:
        async with asked(Lane("lane", engine.judge, threads=2, clock=engine.clock), 20) as tasks:
            assert refused(tasks) == list(range(6, 20))
            await engine.until_begun()
            await engine.until_begun()  # both at once
            assert not engine.judged

    played(score)


def test_what_has_waited_too_long_is_dropped_when_its_turn_comes() -> None:
    async def score(engine: Engine) -> None:
        async with asked(Lane("lane", engine.judge, clock=engine.clock), 2) as tasks:
            await engine.until_begun()
            engine.cost_s = LATEST_S + 0.001
            engine.allowed.release()
            assert await tasks[0]
            with pytest.raises(Late, match="too late"):
                await tasks[1]

    assert played(score).judged == [b"0"]


def test_what_nobody_waits_for_any_more_never_runs_and_holds_up_nobody() -> None:
    async def score(engine: Engine) -> None:
        lane = Lane("lane", engine.judge, clock=engine.clock)
        async with asked(lane, 3) as tasks:
            await engine.until_begun()
            for task in tasks[1:]:
                task.cancel()
            await asyncio.wait(tasks[1:])
            async with asked(lane, 3) as others:
                assert refused(others) == [2]
                engine.allowed.release(3)
                await asyncio.wait(others)

    assert played(score).judged == [b"0", b"0", b"1"]


def test_one_that_is_cancelled_while_it_is_judged_still_takes_its_time() -> None:
    async def score(engine: Engine) -> None:
        lane = Lane("lane", engine.judge, clock=engine.clock)
        async with asked(lane, 1) as tasks:
            await engine.until_begun()
            tasks[0].cancel()
            await asyncio.wait(tasks)
            async with asked(lane, 3) as others:
                assert refused(others) == [2]

    played(score)


def test_the_cost_is_measured() -> None:
    async def score(engine: Engine) -> None:
        lane = Lane("lane", engine.judge, clock=engine.clock)
        engine.cost_s = 0.012
        engine.allowed.release(3)
        for _ in range(3):
            await lane.judge(Question(b""))
        async with asked(lane, 20) as tasks:
            assert len(refused(tasks)) == 8  # twelve of 12 ms are in time

    played(score)


def test_one_that_the_machine_held_up_changes_nothing() -> None:
    async def score(engine: Engine) -> None:
        lane = Lane("lane", engine.judge, clock=engine.clock)
        engine.allowed.release(5)
        for cost_s in (0.045, 0.045, 3.0, 0.045, 0.045):
            engine.cost_s = cost_s
            await lane.judge(Question(b""))
        async with asked(lane, 4) as tasks:
            assert refused(tasks) == [3]

    played(score)


def test_a_slow_engine_is_still_asked_when_nobody_waits() -> None:
    async def score(engine: Engine) -> None:
        lane = Lane("lane", engine.judge, clock=engine.clock)
        engine.cost_s = 1.0
        engine.allowed.release(3)
        for _ in range(3):
            await lane.judge(Question(b""))
        async with asked(lane, 2) as tasks:
            assert refused(tasks) == [1]

    played(score)


def test_an_error_of_the_engine_is_told_and_the_next_is_judged() -> None:
    async def score(engine: Engine) -> None:
        lane = Lane("lane", engine.judge, clock=engine.clock)
        engine.allowed.release(2)
        with pytest.raises(ProviderError, match="no such sound"):
            await lane.judge(Question(b"broken"))
        assert await lane.judge(Question(b"sound"))

    played(score)
