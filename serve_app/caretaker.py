"""What a replica looks after while calls go on: that what waits to be read fits into memory, and that its calls are
somewhere else when it has to go."""

import asyncio
import logging
import os
from collections.abc import Collection

from serve_app import drain
from serve_app.drain import Drain
from serve_app.errors import Unavailable
from serve_app.session import LONGEST_BACKLOG, Session

logger = logging.getLogger(__name__)

LOOKS_EVERY_S = 0.5
MOST_UNREAD = 8 * LONGEST_BACKLOG
"""Characters, of all clients of a replica: each alone may leave LONGEST_BACKLOG."""
DRAINS_FOR = "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"
DRAINS_FOR_S = 30.0
"""Serve's default. Then it closes the gateway's sockets, whatever graceful_shutdown_timeout_s says: that only must not
be shorter."""


class Caretaker:
    """Of the replica that has these `sessions`, and listens at `address`, once that is known."""

    def __init__(self, sessions: Collection[Session]) -> None:
        self.address: tuple[str, int] | None = None
        self.drain: Drain | None = None
        self._sessions = sessions

    @property
    def takes_calls(self) -> bool:
        return self.drain is None or self.drain.takes_calls(asyncio.get_running_loop().time())

    async def watch(self) -> None:
        """For ever."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOKS_EVERY_S)
            self._relieve()
            if self.address and not self.drain and await drain.is_announced(*self.address):
                self.drain = Drain(now() + float(os.environ.get(DRAINS_FOR) or DRAINS_FOR_S))
                logger.info("this replica is to go; %d conversations are on it", len(self._sessions))
            if self.drain:
                self._move(self.drain, now())

    def _relieve(self) -> None:
        """Those who have left the most unread go, before all others suffer."""
        unread = sum(session.unread for session in self._sessions)
        for session in sorted(self._sessions, key=lambda session: session.unread, reverse=True):
            if unread <= MOST_UNREAD:
                break
            unread -= session.unread
            session.end(Unavailable("more messages wait than fit into memory: send less, and audio in real time"))

    def _move(self, drain: Drain, now: float) -> None:
        for session in self._sessions:
            if drain.moves(now, between_turns=session.between_turns):
                session.restart()
