"""Pings: when the next one is due, and what the answers say about the line."""

FIRST_PING_S = 1.0
PING_EVERY_S = 15.0


class Heartbeat:
    """`due`: when to ping next. `ping_ms`: the latest round trip, None until one was measured."""

    def __init__(self) -> None:
        self.due = float("inf")
        self.ping_ms: int | None = None
        self._awaited: tuple[int, float] | None = None  # (event id, when it was sent)
        self._pongs = 0

    def start(self, now: float) -> None:
        self.due = now + FIRST_PING_S

    def ping(self, event_id: int, now: float) -> None:
        """One was sent. An older one that is still unanswered no longer counts."""
        self.due = now + PING_EVERY_S
        self._awaited = (event_id, now)

    def pong(self, event_id: int, now: float) -> None:
        """The first round trip is not the line's: clients queue it behind the opening of their audio devices."""
        if self._awaited is None or self._awaited[0] != event_id:
            return
        _, sent = self._awaited
        self._awaited = None
        self._pongs += 1
        if self._pongs > 1:
            self.ping_ms = round((now - sent) * 1000)
