"""Voice engines in a row: when one fails, the next speaks what is left of the clause."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from deployments.voices.budget import in_time
from deployments.voices.chunks import parsed_format
from deployments.voices.progress import Progress
from serve_app.conversation.breaker import Breaker, State
from serve_app.errors import SpeechError
from serve_app.observability.correlation import note
from serve_app.ports import Fallback, SpeechChunk, Voice

FIRST_AUDIO_S = 0.9
AUDIO_GAP_S = 0.9
"""An engine and the next one are together silent for less than the 2 s that a caller bears."""

OnChange = Callable[[str, State], None]


class Engine(Protocol):
    """A voice engine: a `Speaker` that can say what it is."""

    def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]: ...

    async def warm(self, *, language: str, voice: Voice) -> None: ...

    def describe(self) -> str: ...


class VoiceChain:
    """An engine made of engines by their names, best first, each behind a breaker of that name.

    The last one is asked whatever its breaker says: after it comes silence.
    """

    def __init__(self, engines: Sequence[tuple[str, Engine]], on_change: OnChange = lambda name, state: None) -> None:
        self._links = [_Link(engine, Breaker(name, on_change)) for name, engine in engines]

    def describe(self) -> str:
        return ", then ".join(link.engine.describe() for link in self._links)

    async def warm(self, *, language: str, voice: Voice) -> None:
        await asyncio.gather(*(link.engine.warm(language=language, voice=voice) for link in self._links))

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """See `serve_app.ports.Speaker`. Characters that are timed twice by the engines are timed once here."""
        progress = Progress(text, parsed_format(voice.agent_output_audio_format))
        failed: list[tuple[str, str]] = []  # names, and why
        told = 0
        for link in self._links:
            if progress.over:
                return
            if not link.admits() and link is not self._links[-1]:
                failed.append((link.name, "left alone for now: it failed again and again"))
                continue
            for name, why in failed[told:]:
                yield Fallback("tts", name, why, link.name)
            told = len(failed)
            try:
                async with aclosing(link.speak(progress.rest, language=language, voice=voice)) as speech:
                    note(engine=link.name)
                    async for item in speech:
                        yield progress.take(item) if isinstance(item, SpeechChunk) else item
                return
            except SpeechError as e:
                failed.append((link.name, e.message))
                progress.fail()
        if not progress.over:
            raise SpeechError("; ".join(f"{name}: {why}" for name, why in failed))


class _Link:
    def __init__(self, engine: Engine, breaker: Breaker) -> None:
        self.engine = engine
        self._breaker = breaker
        self.name = breaker.name

    def admits(self) -> bool:
        return self._breaker.admits(asyncio.get_running_loop().time())

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """Once admitted: what came of it is reported to the breaker."""
        speech = self.engine.speak(text, language=language, voice=voice)
        report = self._breaker.abandoned
        heard = False
        try:
            async with aclosing(in_time(speech, first_s=FIRST_AUDIO_S, gap_s=AUDIO_GAP_S)) as timely:
                async for item in timely:
                    heard = heard or (isinstance(item, SpeechChunk) and bool(item.audio))
                    yield item
            if not heard:
                raise SpeechError("it ended without audio")
            report = self._breaker.succeeded
        except SpeechError:
            report = self._failed
            raise
        finally:
            report()

    def _failed(self) -> None:
        self._breaker.failed(asyncio.get_running_loop().time())
