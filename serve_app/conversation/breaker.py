"""A circuit breaker: a provider that keeps failing is left alone, so that no caller waits for it, and tried again soon.

CLOSED ──OPENS_AT failures in a row──▶ OPEN ──PROBE_AFTER_S──▶ HALF_OPEN ──success──▶ CLOSED
                                        ▲                          │
                                        └─────────failure──────────┘
"""

from collections.abc import Callable
from enum import Enum

OPENS_AT = 3
"""Failures in a row: two may be chance."""
PROBE_AFTER_S = 2.0
"""About one turn of a call: a provider that has healed is used again in the next."""


class State(Enum):
    """The value is what a gauge shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """One provider's, shared by all calls of a replica. Every admitted attempt must be reported: as a success, as a
    failure, or as abandoned. `name` is the provider's, for people; `on_change` is told of every new state."""

    def __init__(self, name: str, on_change: Callable[[str, State], None] = lambda name, state: None) -> None:
        self.name = name
        self.state = State.CLOSED
        self._on_change = on_change
        self._failures = 0  # in a row
        self._tried_at = 0.0  # when it opened, or was probed last
        self._on_change(name, self.state)

    def admits(self, now: float) -> bool:
        """Whether to ask the provider. Half open, one may: the probe; another if nothing is ever heard of that one."""
        if self.state is State.CLOSED:
            return True
        if now < self._tried_at + PROBE_AFTER_S:
            return False
        self._tried_at = now
        self._become(State.HALF_OPEN)
        return True

    def succeeded(self) -> None:
        """It gave what was asked for, in time."""
        self._failures = 0
        self._become(State.CLOSED)

    def failed(self, now: float) -> None:
        """It refused, broke off, or was silent for longer than its budget."""
        self._failures += 1
        if self.state is State.HALF_OPEN or (self.state is State.CLOSED and self._failures >= OPENS_AT):
            self._tried_at = now
            self._become(State.OPEN)

    def abandoned(self) -> None:
        """The answer was not needed any more: that says nothing of the provider. A probe may follow at once."""
        if self.state is State.HALF_OPEN:
            self._tried_at = float("-inf")

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._on_change(self.name, state)
