"""TtsProxy without its shell: the chain of voices, and their audio in pieces of the same size."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from deployments.tts import ENGINES
from deployments.voices.chunks import in_chunks, parsed_format
from deployments.voices.elevenlabs import ElevenLabsVoice
from deployments.voices.espeak import EspeakVoice
from deployments.voices.voice_chain import OnChange, VoiceChain
from serve_app.ports import Fallback, SpeechChunk, Voice


class VoiceReplica:
    """Of the engines with these names. `asked` are the clauses it was given."""

    def __init__(self, names: list[str], environ: Mapping[str, str], on_change: OnChange) -> None:
        self._engines = {name: ENGINES[name](environ, on_change) for name in names}
        self._chain = VoiceChain(list(self._engines.items()), on_change)
        self.asked: list[str] = []

    @property
    def local_pid(self) -> int:
        """Of espeak-ng's process."""
        espeak = self._engines["espeak"]
        assert isinstance(espeak, EspeakVoice)
        return espeak._process._child._process.pid

    async def speak(
        self, text: str, language: str, voice: Voice, carrier: Mapping[str, str]
    ) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        self.asked.append(text)
        speech = self._chain.speak(text, language=language, voice=voice)
        async with aclosing(in_chunks(speech, parsed_format(voice.agent_output_audio_format))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def warm(self, language: str, voice: Voice) -> None:
        await self._chain.warm(language=language, voice=voice)

    async def aclose(self) -> None:
        for engine in self._engines.values():
            if isinstance(engine, ElevenLabsVoice | EspeakVoice):
                await engine.aclose()
