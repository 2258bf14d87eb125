"""How good the caller's line is: round trips, evenness of arrival, and what waits to be taken. It is called bad at once
and good again only when it has been good for a while.
"""

from typing import NamedTuple

BAD_PING_MS, GOOD_PING_MS = 400, 250
"""ITU-T G.114 calls 400 ms one way unacceptable; half of that, and the round trip is felt in every turn."""
BAD_JITTER_S, GOOD_JITTER_S = 0.060, 0.030
"""Of arrival: what the usual lead of the agent's voice bridges, and half of it."""
BAD_BACKLOG_S, GOOD_BACKLOG_S = 0.400, 0.100
"""Of the agent's voice, left in our hands by a client that cannot take it."""
GOOD_AFTER_S = 10.0
SETTLING_S = 2.0
"""Clients open their audio devices first: what comes then comes in lumps."""
JITTER_GAIN = 1 / 16
"""Of RFC 3550, 6.4.1: an interarrival jitter."""


class Measures(NamedTuple):
    ping_ms: int
    jitter_s: float
    backlog_s: float


class LineQuality:
    """`bad`: what follows from the measures so far. Seconds are on the loop clock."""

    def __init__(self, now: float) -> None:
        self.bad = False
        self._from = now + SETTLING_S
        self._ping_ms = 0
        self._jitter_s = 0.0
        self._backlog_s = 0.0
        self._transit_s: float | None = None  # of the message before, from an arbitrary zero
        self._came_s = 0.0  # audio so far
        self._good_since: float | None = None

    @property
    def measures(self) -> Measures:
        return Measures(self._ping_ms, round(self._jitter_s, 4), round(self._backlog_s, 3))

    def reconnected(self, now: float) -> None:
        """What comes now comes over another line, the first of it in lumps."""
        self._from, self._transit_s, self._backlog_s = now + SETTLING_S, None, 0.0

    def pinged(self, ping_ms: int | None) -> None:
        """The latest round trip; None: not known yet."""
        self._ping_ms = ping_ms or 0

    def arrived(self, seconds: float, backlog_s: float, now: float) -> None:
        """A message with so much audio: it was over when the message left, so every one should be as late."""
        self._backlog_s = backlog_s
        self._came_s += seconds
        transit_s, before = now - self._came_s, self._transit_s
        self._transit_s = transit_s
        if before is not None and now >= self._from:
            self._jitter_s += (abs(transit_s - before) - self._jitter_s) * JITTER_GAIN

    def judge(self, now: float) -> bool:
        """Whether `bad` has changed."""
        was = self.bad
        if self._ping_ms > BAD_PING_MS or self._jitter_s > BAD_JITTER_S or self._backlog_s > BAD_BACKLOG_S:
            self.bad, self._good_since = True, None
        elif self.bad:
            self._recover(now)
        return self.bad is not was

    def _recover(self, now: float) -> None:
        good = self._ping_ms < GOOD_PING_MS and self._jitter_s < GOOD_JITTER_S and self._backlog_s < GOOD_BACKLOG_S
        if not good:
            self._good_since = None
        elif self._good_since is None:
            self._good_since = now
        elif now - self._good_since >= GOOD_AFTER_S:
            self.bad = False
