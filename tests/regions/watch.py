"""What there is of a region from moment to moment, for tables and plots."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from tests.beside import beside
from tests.regions.region import Region
from tests.regions.serve_state import Scale


class Sample(NamedTuple):
    """`at`: on the event loop's clock."""

    at: float
    open_calls: int
    scales: Mapping[str, Scale]


@asynccontextmanager
async def watched(region: Region, open_calls: Callable[[], int], every_s: float) -> AsyncIterator[list[Sample]]:
    """A list that grows while the block runs. A moment in which Serve does not tell is left out."""
    samples: list[Sample] = []

    async def look() -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            with suppress(OSError):
                scales = await region.scales()
                samples.append(Sample(clock(), open_calls(), scales))
            due = max(due + every_s, clock())
            await asyncio.sleep(due - clock())

    async with beside(look()):
        yield samples


async def until_scaled(region: Region, name: str, replicas: int, within_s: float) -> bool:
    """Whether Serve wants so many of a deployment, and so many run, in time."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        scale = (await region.scales())[name]
        if scale.target == len(scale.running) == replicas:
            return True
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.5)
