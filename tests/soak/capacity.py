"""How many conversations a machine holds, its callers on it too: more and more of them, until answers come late."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain, count
from typing import NamedTuple

import numpy as np

from tests.acceptance.server import Server
from tests.soak.callers import STARTS_WITHIN_S, Answer, Callers
from tests.soak.vitals import cpu_seconds

TWICE = 2.0
NOTICED_S = 0.100
"""Twice next to nothing is next to nothing: an answer must come this late to count as late."""
ALONE_S, STEP_S = 60.0, 30.0
FIRST_TYPED, GROWTH = 20, 1.5
MORE_SPOKEN = 2


class Step(NamedTuple):
    """So many callers at once. Waits are in seconds; `busy`: processors kept busy, by the server and by the callers."""

    callers: int
    answers: int
    p50_s: float
    p95_s: float
    busy: tuple[float, float]
    met: dict[str, int]

    def is_late(self, alone: "Step") -> bool:
        return bool(self.met) or self.p95_s > max(TWICE * alone.p95_s, NOTICED_S)


async def ramp(server: Server, *, typed: bool) -> AsyncIterator[Step]:
    """Steps up to the first that is late, or in which something went wrong."""
    async with Callers(server.ws_url) as callers:
        alone: Step | None = None
        for number in _numbers(typed):
            callers.add(number - len(callers), typed=typed)
            await asyncio.sleep(STARTS_WITHIN_S)
            step = await _step(server, callers, ALONE_S if alone is None else STEP_S)
            yield step
            alone = alone or step
            if step.is_late(alone):
                return


def _numbers(typed: bool) -> Iterator[int]:
    """Of callers: one, then more and more."""
    more = (round(FIRST_TYPED * GROWTH**step) for step in count()) if typed else count(MORE_SPOKEN, MORE_SPOKEN)
    return chain((1,), more)


async def _step(server: Server, callers: Callers, seconds: float) -> Step:
    callers.forget()
    before = cpu_seconds(server)
    await asyncio.sleep(seconds)
    busy = [(after - at_first) / seconds for after, at_first in zip(cpu_seconds(server), before, strict=True)]
    return Step(
        len(callers),
        len(callers.answers),
        *percentiles(callers.answers),
        (busy[0], busy[1]),
        dict(callers.met),
    )


def percentiles(answers: Sequence[Answer]) -> tuple[float, float]:
    """The median of the waits and their 95th percentile; endless if nobody was answered."""
    if not answers:
        return math.inf, math.inf
    median, late = np.percentile([answer.waited_s for answer in answers], (50, 95))
    return float(median), float(late)
