"""How many clauses ElevenLabs speaks at once: plans bound them for each key, and refuse what is beyond."""

import asyncio
from collections import deque


class Generations:
    """Lets at most `most` run at once. Who comes beyond waits in line."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.running = 0

    @property
    def most(self) -> int:
        return self._most

    @most.setter
    def most(self, most: int) -> None:
        self._most = most
        self._let_in()

    async def begin(self) -> None:
        """Returns when it is this one's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was let in at the same moment
                self.end()
            raise

    def linger(self) -> None:
        """One more runs, in place of one that ends now: ElevenLabs speaks on though nobody listens."""
        self.running += 1

    def end(self) -> None:
        self.running -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.running < self._most:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                self.running += 1
