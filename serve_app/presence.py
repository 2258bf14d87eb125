"""Who is connected; and the conversation's clock, which stands still while nobody is."""

import asyncio

from serve_app.outbox import Socket


class Presence:
    """`socket` None: nobody is there. Seconds: `now` is the conversation's, all others are the loop's."""

    def __init__(self) -> None:
        self.socket: Socket | None = None
        self.left_at: float | None = None
        self.away_s = 0.0
        """How long nobody was there, before the present connection."""

    def now(self) -> float:
        return (_loop_now() if self.left_at is None else self.left_at) - self.away_s

    def wakes_at(self, deadline: float) -> float | None:
        """When it will be `deadline`; None: never, as long as nobody comes."""
        return deadline + self.away_s if self.left_at is None else None

    def leave(self) -> None:
        self.socket, self.left_at = None, _loop_now()

    def come(self, socket: Socket) -> float:
        """Returns how long nobody was there."""
        away_s = 0.0 if self.left_at is None else _loop_now() - self.left_at
        self.socket, self.left_at = socket, None
        self.away_s += away_s
        return away_s


def _loop_now() -> float:
    return asyncio.get_running_loop().time()
