"""A voice that sounds each character at a level of its own: what was heard can be read."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable

import numpy as np

from serve_app.conversation.agent import Voice
from serve_app.conversation.playback import CHUNK_S
from serve_app.ports import Alignment, SpeechChunk
from tests.fakes.ports import ScriptedSpeaker


class SpellingSpeaker(ScriptedSpeaker):
    """Each character sounds for one message's time."""

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        with self._work():
            self.said.append(text)
            for character in text:
                await asyncio.sleep(0)
                samples = np.full(round(CHUNK_S * 16_000), 100 * ord(character), np.int16)
                yield SpeechChunk(samples.tobytes(), Alignment((character,), (0,), (40,)))


def spelled(sounds: Iterable[bytes]) -> str:
    """What these messages' sounds say, where they are at their own level."""
    levels = [int(np.frombuffer(sound, np.int16)[0]) for sound in sounds]
    return "".join(chr(level // 100) for level in levels if level % 100 == 0)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def joined(texts: Iterable[str]) -> list[str]:
    """Word by word. One that was cut off may have been said again, from its beginning."""
    said: list[str] = []
    for text in texts:
        then = words(text)
        if said and then and then[0].startswith(said[-1]):
            said.pop()
        said += then
    return said
