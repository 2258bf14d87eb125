import asyncio
import time

import pytest

from tests.virtual_time import run


def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_hour_passes_at_once() -> None:
    async def wait() -> float:
        await asyncio.sleep(3600)
        return now()

    began = time.perf_counter()
    assert run(wait()) == 3600
    assert time.perf_counter() - began < 1


def test_tasks_wake_in_the_order_of_their_timers() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, now()))

    async def wait() -> None:
        await asyncio.gather(sleeper("late", 2), sleeper("early", 0.5), sleeper("middle", 1))

    run(wait())
    assert woken == [("early", 0.5), ("middle", 1), ("late", 2)]


def test_what_is_ready_comes_before_the_clock_moves() -> None:
    async def wait() -> float:
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.timeout(10):
            for number in range(100):
                queue.put_nowait(number)
                await queue.get()
                await asyncio.sleep(0)
        return now()

    assert run(wait()) == 0


def test_a_cancelled_timer_does_not_move_the_clock() -> None:
    async def wait() -> float:
        asyncio.get_running_loop().call_later(5, print).cancel()
        await asyncio.sleep(7)
        return now()

    assert run(wait()) == 7


@pytest.mark.parametrize("delay", [None, float("inf")])
def test_waiting_for_what_never_comes_is_an_error(delay: float | None) -> None:
    async def wait() -> None:
        async with asyncio.timeout(delay):
            await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="never comes"):
        run(wait())
