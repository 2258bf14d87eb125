"""ElevenLabs with faults by chance, each request's own."""

import asyncio
import random
from weakref import WeakKeyDictionary

from tests.fakes.elevenlabs_server import FakeElevenLabs, Fault

BY_CHANCE = [fault for fault in Fault if fault is not Fault.REFUSED]
"""That one is a server's, and not a request's."""


class FlakyElevenLabs(FakeElevenLabs):
    """`error_rate` (0..1) of handshakes, contexts and HTTP requests meet any fault; which, the same for one `seed`."""

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.error_rate = 0.0
        self.met = 0
        self._chance = random.Random(seed)
        self._drawn: WeakKeyDictionary[asyncio.Task[object], Fault | None] = WeakKeyDictionary()

    def fault_of(self, way: str) -> Fault | None:
        """Each has a task of its own at the server, from its beginning to its end."""
        task = asyncio.current_task()
        assert task
        if task not in self._drawn:
            self._drawn[task] = self._chance.choice(BY_CHANCE) if self._chance.random() < self.error_rate else None
            self.met += self._drawn[task] is not None
        return super().fault_of(way) or self._drawn[task]
