"""Pings: when the next one is due, what the answers say about the line, and when it is dead."""

FIRST_PING_S = 1.0
PING_EVERY_S = 15.0
DOUBT_PING_EVERY_S = 2.0
"""While the quality of the line is in doubt."""
SLOW_MS = 300
"""A round trip longer than this is felt in a conversation (ITU-T G.114: 150 ms one way)."""
UNEVEN_MS = 100
"""So is one that differs this much from the one before."""
DEAD_S = 20.0
"""Without any pong, though pings were sent: the client is gone, whatever TCP believes."""


class Heartbeat:
    """`due`: when to ping next. `ping_ms`: the latest round trip, None until one was measured."""

    def __init__(self, every_s: float = PING_EVERY_S) -> None:
        self.due = float("inf")
        self.ping_ms: int | None = None
        self._every_s = every_s
        self._sent: dict[int, float] = {}  # unanswered, by event id
        self._pongs = 0
        self._uneven = False

    def start(self, now: float) -> None:
        """A connection is open. What was sent over an earlier one is not waited for."""
        self.due, self._sent, self._pongs = now + FIRST_PING_S, {}, 0

    @property
    def dead_at(self) -> float:
        """When the line counts as dead if no pong comes."""
        return min(self._sent.values()) + DEAD_S if self._sent else float("inf")

    @property
    def in_doubt(self) -> bool:
        """The latest ping but one is unanswered, or the line is slow or uneven."""
        return len(self._sent) > 1 or self._uneven or (self.ping_ms or 0) > SLOW_MS

    def ping(self, event_id: int, now: float) -> None:
        """One was sent."""
        self._sent[event_id] = now
        self.due = now + (DOUBT_PING_EVERY_S if self.in_doubt or self._pongs == 0 else self._every_s)

    def pong(self, event_id: int, now: float) -> None:
        """Pings before the answered one are settled too. The first round trip is not the line's: clients queue it
        behind the opening of their audio devices."""
        sent = self._sent.pop(event_id, None)
        if sent is None:
            return
        self._sent = {id_: at for id_, at in self._sent.items() if at > sent}
        self._pongs += 1
        if self._pongs == 1:
            self.due = sent + self._every_s
        else:
            self._measured(round((now - sent) * 1000))
        if self.in_doubt:
            self.due = min(self.due, now + DOUBT_PING_EVERY_S)

    def _measured(self, ms: int) -> None:
        self._uneven = self.ping_ms is not None and abs(ms - self.ping_ms) > UNEVEN_MS
        self.ping_ms = ms
