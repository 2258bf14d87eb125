"""The callers of one fault: they come, talk, and leave together."""

import asyncio

from tests.chaos.accounting import Call
from tests.chaos.caller import Caller, Way, until

WAYS = [Way.TYPING] * 12 + [Way.WRITING] * 4 + [Way.SPEAKING] * 4
DIAL_EVERY_S = 0.15
COMES_WITHIN_S, LEAVES_WITHIN_S = 60.0, 60.0


class Crowd:
    """An async context manager: when it is entered, all are in the middle of their second turn at least."""

    def __init__(self, url: str) -> None:
        self._callers = [Caller(url, number, way) for number, way in enumerate(WAYS)]
        self._leaving = asyncio.Event()

    async def __aenter__(self) -> "Crowd":
        self._talking = []
        for caller in self._callers:
            self._talking.append(asyncio.create_task(caller.talk(self._leaving)))
            await asyncio.sleep(DIAL_EVERY_S)
        talking = await until(lambda: all(len(call.turns) > 1 or call.over for call in self.calls), COMES_WITHIN_S)
        assert talking, "not everybody gets to talk"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    @property
    def calls(self) -> list[Call]:
        return [caller.call for caller in self._callers]

    async def leave(self) -> None:
        """Each after the answer to their last turn."""
        self._leaving.set()
        await asyncio.wait(self._talking, timeout=LEAVES_WITHIN_S)
