"""How many run at once, and who waits for whom."""

import asyncio

from deployments.voices.elevenlabs_generations import Generations
from tests import virtual_time


def test_who_comes_beyond_waits_in_line() -> None:
    async def main() -> None:
        generations = Generations(2)
        order: list[int] = []

        async def clause(number: int) -> None:
            await generations.begin()
            order.append(number)
            assert generations.running <= 2
            await asyncio.sleep(1)
            generations.end()

        await asyncio.gather(*map(clause, range(6)))
        assert order == list(range(6))
        assert asyncio.get_running_loop().time() == 3
        assert generations.running == 0

    virtual_time.run(main())


def test_who_gives_up_takes_no_place() -> None:
    async def main() -> None:
        generations = Generations(1)
        await generations.begin()
        waiting = [asyncio.create_task(generations.begin()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        generations.end()  # the next in line is let in
        waiting[1].cancel()  # before it has run
        await asyncio.wait(waiting)
        assert [task.cancelled() for task in waiting] == [True, True, False]
        assert generations.running == 1

    virtual_time.run(main())


def test_the_limit_may_change() -> None:
    async def main() -> None:
        generations = Generations(1)
        await generations.begin()
        second = asyncio.create_task(generations.begin())
        await asyncio.sleep(0)
        assert not second.done()
        generations.most = 2
        await second
        generations.most = 1
        third = asyncio.create_task(generations.begin())
        generations.end()
        await asyncio.sleep(0)
        assert not third.done()
        generations.end()
        await third

    virtual_time.run(main())


def test_what_lingers_counts() -> None:
    async def main() -> None:
        generations = Generations(1)
        await generations.begin()
        generations.linger()
        generations.end()
        waiting = asyncio.create_task(generations.begin())
        await asyncio.sleep(0)
        assert not waiting.done()
        generations.end()
        await waiting

    virtual_time.run(main())
