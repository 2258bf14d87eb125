"""How much a replica has in hand, on average: calls of milliseconds would slip between samples."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class WorkMeter:
    """Counts pieces of work that overlap. Of one event loop. `clock`: in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_hand = 0
        self._done_s = 0.0  # pieces times seconds since `mean` was asked last
        self._asked_at = self._changed_at = clock()

    @contextmanager
    def piece(self) -> Iterator[None]:
        """One more, for as long as the block takes."""
        self._change(+1)
        try:
            yield
        finally:
            self._change(-1)

    def mean(self) -> float:
        """Pieces in hand, the average over the time since this was asked last."""
        self._change(0)
        elapsed_s, done_s = self._changed_at - self._asked_at, self._done_s
        self._asked_at, self._done_s = self._changed_at, 0.0
        return done_s / elapsed_s if elapsed_s > 0 else float(self._in_hand)

    def _change(self, by: int) -> None:
        now = self._clock()
        self._done_s += self._in_hand * (now - self._changed_at)
        self._changed_at = now
        self._in_hand += by
