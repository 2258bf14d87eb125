"""An event loop whose clock jumps to the next timer as soon as nothing else can happen: an hour passes in no time.

For code that waits only on timers and on other tasks. A thread or a socket would be given no time to answer.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_FOREVER = 24 * 3600
"""asyncio never asks its selector to wait longer, however far the next timer lies."""


class _Clock(selectors.DefaultSelector):
    """Where the loop would sleep, time has passed instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout >= _FOREVER):
            raise RuntimeError("every task waits for something that never comes")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def stall(self, seconds: float) -> None:
        """Time passes, and nothing else can happen."""
        self._clock.now += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """asyncio.run, in virtual time that starts at 0."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
