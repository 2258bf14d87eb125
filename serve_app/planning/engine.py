"""An engine that works at a few requests at a time, as a fluid: what it has in hand, and who waits for it."""

from dataclasses import dataclass
from typing import NamedTuple


class Stretch(NamedTuple):
    """Of one step. `busy` requests are worked at on average, and others are `waiting` in its end. `wait_s` is that of
    the last of them. `given_up`: requests that waited too long."""

    busy: float
    waiting: float
    wait_s: float
    given_up: float

    @property
    def in_hand(self) -> float:
        return self.busy + self.waiting


@dataclass(slots=True)
class Engine:
    """`request_s` seconds of work a request; nobody waits longer than `patience_s`."""

    request_s: float
    patience_s: float
    waiting: float = 0.0

    def step(self, a_second: float, places: float, seconds: float) -> Stretch:
        """`a_second` requests come evenly for `seconds`, and `places` of them are worked at in one moment.

        A queue as a fluid (Newell, "Applications of Queueing Theory", 1971): exact about overload, silent about the
        short waits of chance below it.
        """
        there = self.waiting + a_second * seconds
        done = min(there, places / self.request_s * seconds)
        left = there - done
        # The last in the queue waits for all before it; without a place, those who came within their patience wait.
        stay = min(left, max(places / self.request_s, a_second) * self.patience_s)
        self.waiting = stay
        wait_s = min(stay * self.request_s / places, self.patience_s) if places else (self.patience_s if stay else 0.0)
        return Stretch(done * self.request_s / seconds, stay, wait_s, left - stay)
