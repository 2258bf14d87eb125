"""Judgements in time or not at all: a queue, and the threads that work it off."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from statistics import median

from serve_app.errors import ProviderError
from serve_app.observability.correlation import note
from serve_app.ports import Judgement, Question

LATEST_S = 0.150
"""After being asked. Whoever asks decides alone by then."""
FIRST_COST_S = 0.045
"""Of a judgement, while none has been timed: smart-turn's."""
REMEMBERED = 9
"""Judgements whose median is the cost: one that the machine held up changes nothing."""


class Late(ProviderError):
    """The judgement would be of a moment that has passed, and was not made."""


class Lane:
    """`judge` may block, and is called on `threads` threads at once. `clock`: in seconds."""

    def __init__(
        self,
        name: str,
        judge: Callable[[Question], Judgement],
        *,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge, self._threads, self._clock = judge, threads, clock
        self._pool = ThreadPoolExecutor(threads, name)
        self._open: set[Future[Judgement]] = set()  # waiting or being judged
        self._costs: tuple[float, ...] = (FIRST_COST_S,)

    async def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge. Raises Late, at once where those before it leave no time.

        Cancelled while it waits, it is never begun.
        """
        if self._open and self._expected_s() > LATEST_S:
            raise Late(f"{len(self._open)} judgements come first")
        future = self._pool.submit(copy_context().run, self._run, question, self._clock())
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        return await asyncio.wrap_future(future)

    def _expected_s(self) -> float:
        """From now until one more would be answered. Where nobody waits it is not asked: one slow judgement must not
        be the last."""
        return median(self._costs) * max(1.0, (len(self._open) + 1) / self._threads)

    def _run(self, question: Question, asked: float) -> Judgement:
        """On a thread."""
        begun = self._clock()
        if begun - asked > LATEST_S:
            raise Late("its turn came too late")
        judgement = self._judge(question)
        cost = self._clock() - begun
        note(waited_ms=round((begun - asked) * 1000, 2), computed_ms=round(cost * 1000, 2))
        # Replaced, not changed: the event loop may be reading it. Of two threads at once one may be forgotten.
        self._costs = (*self._costs[1 - REMEMBERED :], cost)
        return judgement
