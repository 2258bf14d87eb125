"""A replica that is to go lets its calls finish. Those that last longer move, each at a moment when nobody speaks."""

import asyncio
from typing import NamedTuple

MOVING_S = 60.0
"""Before the end: from then on a call moves as soon as nobody speaks in it. Turns are over within seconds."""
LAST_S = 3.0
"""Before the end, all that are left: their closing takes up to 2 s, and the replica may have learnt a second late."""
ANSWERS_WITHIN_S = 1.0


class Drain(NamedTuple):
    """`ends_at`: when Serve closes the sockets that are left, on the clock that gives `now`."""

    ends_at: float

    def takes_calls(self, now: float) -> bool:
        """A new one, which would last for a while at least."""
        return self.ends_at - now > MOVING_S

    def moves(self, now: float, *, between_turns: bool) -> bool:
        """Whether a call has to move now."""
        left = self.ends_at - now
        return left <= LAST_S or (left <= MOVING_S and between_turns)


async def is_announced(host: str, port: int) -> bool:
    """Whether Serve says of the replica that listens there that it is to go: its health check, for load balancers,
    fails from then on. Serve tells the replica itself nothing. False while it does not answer."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b"DRAINING" in await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
