"""A caller's microphone in a room, in real time: its noise, and over it what is said."""

import asyncio
import math
from collections.abc import AsyncIterator

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples

LUMP = RATE // 10
"""Samples that are sent at once."""
ROOM_NOISE = 8.0
"""Standard deviation of the samples: about -72 dB of full scale."""


class Microphone:
    """`said_at`: when the last sample of what was said was spoken, in the loop's time; infinite while it is not."""

    def __init__(self, seed: int) -> None:
        self.said_at = 0.0
        self._to_say: Samples = np.empty(0, np.int16)
        self._noise = np.random.default_rng(seed)

    def say(self, samples: Samples) -> None:
        """From the next lump on."""
        self._to_say, self.said_at = samples, math.inf

    async def lumps(self) -> AsyncIterator[bytes]:
        """For ever, each when it has been recorded."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += LUMP / RATE
            await asyncio.sleep(due - loop.time())
            lump = self._noise.normal(0, ROOM_NOISE, LUMP).astype(np.int16)
            speech, self._to_say = self._to_say[:LUMP], self._to_say[LUMP:]
            lump[: len(speech)] += speech
            if len(speech) and not len(self._to_say):
                self.said_at = due - (LUMP - len(speech)) / RATE
            yield lump.tobytes()
