"""A voice engine for tests: a tone for every letter. Its file, and a line in ENGINES, are all that an engine takes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping

import numpy as np

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.breaker import State
from serve_app.errors import SpeechError
from serve_app.ports import Alignment, SpeechChunk, Voice

LETTER_S = 0.05
UNSPEAKABLE = "#"


class ToneVoice:
    """Hums 440 Hz, a chunk for every character. `UNSPEAKABLE` fails, and "~" lasts for ever."""

    open_streams = 0

    def __init__(self, environ: Mapping[str, str], on_change: Callable[[str, State], None]) -> None:
        self._loudness = float(environ.get("TONE_LOUDNESS", "8000"))
        self.warmed: list[tuple[str, Voice]] = []

    def describe(self) -> str:
        return "a tone"

    async def warm(self, *, language: str, voice: Voice) -> None:
        self.warmed.append((language, voice))

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        audio_format = AudioFormat.parse(voice.agent_output_audio_format)
        ToneVoice.open_streams += 1
        try:
            for char in text:
                if char == UNSPEAKABLE:
                    raise SpeechError("the tone cannot say this")
                yield self._hum(char, audio_format)
                while char == "~":
                    await asyncio.sleep(0.01)
                    yield self._hum(char, audio_format)
        finally:
            ToneVoice.open_streams -= 1

    def _hum(self, char: str, audio_format: AudioFormat) -> SpeechChunk:
        times = np.arange(round(LETTER_S * audio_format.rate)) / audio_format.rate
        samples = (self._loudness * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
        return SpeechChunk(audio_format.encode(samples), Alignment((char,), (0,), (round(LETTER_S * 1000),)))
