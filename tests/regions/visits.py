"""Callers who come at set moments, each for a set time, and hang up by themselves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from tests.chaos.accounting import Call
from tests.chaos.caller import Caller, Way, until

DIALS_AGAIN_S = 1.0
ATTEMPTS = 30


class Plan(NamedTuple):
    """`at_s`: from the first moment on; `lasts_s`: then they hang up, after the answer to their last turn."""

    at_s: float
    lasts_s: float
    way: Way


@dataclass
class Visit:
    """What came of a plan: when the call began and ended, on the event loop's clock, and how often it was refused
    first."""

    plan: Plan
    call: Call = field(default_factory=Call)
    refusals: list[str] = field(default_factory=list)
    began: float | None = None
    ended: float | None = None

    @property
    def is_open(self) -> bool:
        return self.began is not None and self.ended is None

    @property
    def is_turned_away(self) -> bool:
        """It never began, however often they dialled."""
        return self.began is None

    @property
    def is_cut(self) -> bool:
        """It began, and its line broke, or somebody else ended it."""
        return self.began is not None and bool(self.call.breaks or self.call.over)

    @property
    def is_resumed(self) -> bool:
        """Its line broke, and it went on to its own end all the same."""
        return self.is_cut and self.call.over is None


class Visits:
    """An async context manager: callers come from its beginning on. `begun`: that moment, on the loop's clock."""

    def __init__(self, url: str, plans: Sequence[Plan]) -> None:
        self.all = [Visit(plan) for plan in plans]
        self._url = url

    async def __aenter__(self) -> Self:
        self.begun = asyncio.get_running_loop().time()
        self._tasks = [asyncio.create_task(self._visit(number, each)) for number, each in enumerate(self.all)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open(self) -> int:
        """Calls that go on."""
        return sum(each.is_open for each in self.all)

    async def over(self) -> None:
        """All have hung up. Raises what a caller ran into that is no fault of the server's."""
        await asyncio.gather(*self._tasks)

    async def _visit(self, number: int, visit: Visit) -> None:
        await asyncio.sleep(visit.plan.at_s)
        for _ in range(ATTEMPTS):
            if await self._is_taken(number, visit):
                return
            visit.refusals.append(visit.call.over or "")
            await asyncio.sleep(DIALS_AGAIN_S)

    async def _is_taken(self, number: int, visit: Visit) -> bool:
        """Dial, and if the server takes the call, have it."""
        clock = asyncio.get_running_loop().time
        caller, leaving = Caller(self._url, number, visit.plan.way), asyncio.Event()
        visit.call = caller.call
        talking = asyncio.create_task(caller.talk(leaving))
        try:
            await until(lambda: bool(caller.call.conversation_id) or talking.done())
            if not caller.call.conversation_id:
                return False
            visit.began = clock()
            await asyncio.wait([talking], timeout=visit.plan.lasts_s)
            leaving.set()
            await talking
            visit.ended = clock()
        finally:
            talking.cancel()
        return True
