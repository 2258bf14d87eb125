"""A voice engine for tests of who speaks when: it times letters and fails as it is told to. Its audio is silence."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from serve_app.audio.pcm import AudioFormat
from serve_app.errors import SpeechError
from serve_app.ports import Alignment, Fallback, SpeechChunk, Voice

LETTER_S = 0.1
FORMAT = AudioFormat("pcm", 16000)
VOICE = Voice(agent_output_audio_format=FORMAT.name)


class ScriptedEngine:
    """A chunk for every letter, LETTER_S long, `delay_s` after the one before it. After `letters` of them it raises
    (`fails`), or is silent for ever (`hangs`), or ends. `deaf`: it takes its time to end when it is told to.
    """

    def __init__(
        self,
        name: str = "engine",
        *,
        letters: int = 1000,
        fails: bool = False,
        hangs: bool = False,
        deaf: bool = False,
        timed: bool = True,
        delay_s: float = 0.0,
        first: Fallback | None = None,
    ) -> None:
        self.name = name
        self.letters, self.fails, self.hangs, self.deaf, self.timed = letters, fails, hangs, deaf, timed
        self.delay_s = delay_s
        self.first = first
        self.asked: list[str] = []
        self.open = 0
        self.warmed: list[tuple[str, Voice]] = []

    def describe(self) -> str:
        return f"the {self.name}"

    async def warm(self, *, language: str, voice: Voice) -> None:
        self.warmed.append((language, voice))

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        self.asked.append(text)
        self.open += 1
        try:
            if self.first:
                yield self.first
            for letter in text[: self.letters]:
                await asyncio.sleep(self.delay_s)
                yield _sound(letter if self.timed else "")
            if self.fails:
                raise SpeechError(f"the {self.name} broke")
            if self.hangs:
                await asyncio.Event().wait()
        finally:
            if self.deaf:
                await asyncio.sleep(5)
            self.open -= 1


def _sound(letter: str) -> SpeechChunk:
    timing = Alignment((letter,), (0,), (round(LETTER_S * 1000),)) if letter else None
    return SpeechChunk(bytes(FORMAT.bytes_for(LETTER_S)), timing)


async def collect(speech: AsyncGenerator[SpeechChunk | Fallback, None]) -> list[SpeechChunk | Fallback]:
    async with aclosing(speech):
        return [item async for item in speech]


def timed_text(items: list[SpeechChunk | Fallback]) -> str:
    chunks = [item for item in items if isinstance(item, SpeechChunk)]
    return "".join("".join(chunk.alignment.chars) for chunk in chunks if chunk.alignment)
