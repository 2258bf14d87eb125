"""A caller's microphone: a room's noise, and now and then words in it, in real time. It keeps what may get lost."""

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator
from functools import cache
from itertools import cycle

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from tests.espeak import render

LUMP_MS = 32
LUMP = RATE * LUMP_MS // 1000
"""Samples: what the official JavaScript client sends at once."""
BYTES_PER_MS = RATE * 2 // 1000
KEPT_MS = 10_000
LONGEST_LUMP_MS = 250
"""Of what is sent again."""
ROOM_NOISE = 8.0  # standard deviation of the samples: about -72 dB of full scale
AUDIBLE = 300


class Microphone:
    """It has been open since the conversation began, whatever the line did."""

    def __init__(self) -> None:
        self._room = cycle(_noise())
        self._words: deque[bytes] = deque()
        self._said = asyncio.Event()
        self._kept: deque[bytes] = deque(maxlen=KEPT_MS // LUMP_MS)
        self._until_ms = 0

    async def say(self, words: str) -> None:
        """Returns when the last of it has been sent, or would have been if the line were up."""
        self._words.extend(spoken(words))
        self._said.clear()
        await self._said.wait()

    async def lumps(self) -> AsyncIterator[bytes]:
        """For ever, each when it has been recorded."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += LUMP_MS / 1000
            await asyncio.sleep(due - loop.time())
            lump = self._words.popleft() if self._words else next(self._room)
            self._kept.append(lump)
            self._until_ms += LUMP_MS
            yield lump
            if not self._words:
                self._said.set()

    def kept_since(self, ms: int) -> list[bytes]:
        """What was recorded from there on, as far as it is kept, in lumps that may be sent at once."""
        begins_ms = self._until_ms - len(self._kept) * LUMP_MS
        audio = b"".join(self._kept)[max(0, ms - begins_ms) * BYTES_PER_MS :]
        size = LONGEST_LUMP_MS * BYTES_PER_MS
        return [audio[at : at + size] for at in range(0, len(audio), size)]


def chunk(lump: bytes) -> str:
    """The message that carries it."""
    return f'{{"user_audio_chunk":"{base64.b64encode(lump).decode()}"}}'


@cache
def spoken(words: str) -> tuple[bytes, ...]:
    """Portuguese, from the first sound to the last; whole lumps."""
    samples = render(words, "pt")
    sounding = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    samples = samples[sounding[0] : sounding[-1] + 1]
    return _lumps(samples[len(samples) % LUMP :])


@cache
def _noise() -> tuple[bytes, ...]:
    return _lumps(np.random.default_rng(7).normal(0, ROOM_NOISE, 31 * LUMP).astype(np.int16))


def _lumps(samples: Samples) -> tuple[bytes, ...]:
    return tuple(lump.tobytes() for lump in samples.reshape(-1, LUMP))
