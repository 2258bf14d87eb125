"""ElevenLabs' voices. There are three ways to them, tried in the order of their latency."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Protocol, Self

from deployments.voices.elevenlabs_generations import Generations
from deployments.voices.elevenlabs_http import HttpStream
from deployments.voices.elevenlabs_pool import ContextPool
from deployments.voices.elevenlabs_stream import SocketPerClause
from deployments.voices.elevenlabs_wire import DEFAULT_MODEL, Account, KeyRefused, Opening
from serve_app.conversation.breaker import Breaker, State
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import Fallback, SpeechChunk, Voice
from serve_app.settings import ELEVENLABS_URL

FIRST_AUDIO_S = 0.85
"""From the request to the first audio, whatever is tried for it."""
AUDIO_GAP_S = 0.85
"""Between two pieces. Both are a little less than what whoever asks us waits: then we know that it was our fault."""

PROBE_S = 0.5
"""A way that has failed and is tried again has only so much of the first audio's time: if it stalls, the next way can
still be in time.
"""

OnChange = Callable[[str, State], None]


class Way(Protocol):
    """`speak` is not bound in time: who listens is."""

    @property
    def name(self) -> str: ...

    def speak(self, text: str, opening: Opening) -> AsyncGenerator[SpeechChunk, None]: ...

    async def aclose(self) -> None: ...


class ElevenLabsVoice:
    """Speaks with ElevenLabs over `multi-stream-input`; when that fails, over `stream-input`, and then over HTTP.

    One a process, since `generations` is how many clauses its key may have spoken at once: who comes beyond waits,
    and has no more time for that than for anything else. `on_change` is told of each way's breaker.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = ELEVENLABS_URL,
        *,
        generations: int = 10,
        on_change: OnChange = lambda name, state: None,
    ) -> None:
        """Raises ConfigurationError."""
        account = Account(api_key, base_url)
        self._generations = Generations(generations)
        self._pool = ContextPool(account, self._generations)
        ways: tuple[Way, ...] = (self._pool, SocketPerClause(account), HttpStream(account))
        self._links = [_Link(way, on_change) for way in ways]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], on_change: OnChange = lambda name, state: None) -> Self:
        """Raises ConfigurationError, also without a key."""
        api_key = environ.get("ELEVENLABS_API_KEY")
        if not api_key:
            raise ConfigurationError("the voice of ElevenLabs needs ELEVENLABS_API_KEY")
        return cls(api_key, environ.get("ELEVENLABS_BASE_URL") or ELEVENLABS_URL, on_change=on_change)

    @property
    def generations(self) -> int:
        """Most clauses in flight at once; may be set at any time."""
        return self._generations.most

    @generations.setter
    def generations(self, most: int) -> None:
        self._generations.most = most

    @property
    def sockets(self) -> int:
        """Open in the pool, idle ones included."""
        return self._pool.sockets

    def describe(self) -> str:
        return f"ElevenLabs {DEFAULT_MODEL}"

    async def warm(self, *, language: str, voice: Voice) -> None:
        """See `serve_app.ports.Speaker`."""
        self._pool.warm(Opening(language, voice))

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """See `serve_app.ports.Speaker`. The alignment includes the space that ends a clause on a socket.

        Another way is tried only before the first audio, and has what is left of the first one's time. A key that is
        refused is refused on every way.
        """
        if not any(map(str.isalnum, text)):
            return  # nothing to say, and no audio would count as a failure
        deadline = _now() + FIRST_AUDIO_S
        opening = Opening(language, voice)
        failures: list[tuple[str, str]] = []  # who, and why
        async with self._generation(deadline):
            for link in self._links:
                if not link.admits():
                    failures.append((link.title, "it kept failing, and is left alone for now"))
                    continue
                if failures:
                    yield Fallback("tts", *failures[-1], link.title)
                try:
                    async with aclosing(link.speak(text, opening, deadline)) as speech:
                        async for chunk in speech:
                            yield chunk
                    return
                except _AtOnce as e:
                    failures.append((link.title, e.message))
        raise SpeechError(failures[-1][1])

    async def aclose(self) -> None:
        """Close every connection. Nothing may be spoken afterwards."""
        for link in self._links:
            await link.aclose()

    @asynccontextmanager
    async def _generation(self, deadline: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(deadline):
                await self._generations.begin()
        except TimeoutError as e:
            raise SpeechError("ElevenLabs is speaking as many clauses as it may at once") from e
        try:
            yield
        finally:
            self._generations.end()


class _AtOnce(SpeechError):
    """It failed without audio, and soon enough to try another way."""


class _Link:
    """A way, and whether to take it."""

    def __init__(self, way: Way, on_change: OnChange) -> None:
        self.title = f"ElevenLabs {way.name}"
        self._way = way
        self._breaker = Breaker(self.title.lower(), on_change)

    def admits(self) -> bool:
        return self._breaker.admits(_now())

    async def speak(self, text: str, opening: Opening, deadline: float) -> AsyncGenerator[SpeechChunk, None]:
        """Once admitted. The first audio must come by `deadline` (loop time), each further piece within AUDIO_GAP_S
        after it was asked for. Raises SpeechError.
        """
        report = self._breaker.abandoned
        heard = False
        due = min(deadline, _now() + PROBE_S) if self._breaker.state is State.HALF_OPEN else deadline
        try:
            async with aclosing(self._way.speak(text, opening)) as speech:
                while chunk := await _by(due, speech):
                    heard, report = True, self._breaker.succeeded
                    yield chunk
                    due = _now() + AUDIO_GAP_S
            if not heard:
                raise SpeechError("ElevenLabs answered without audio")
        except KeyRefused:
            raise  # it says nothing of the way
        except SpeechError as e:
            report = self._failed
            if heard or _now() >= deadline:
                raise
            raise _AtOnce(e.message) from e
        finally:
            report()

    async def aclose(self) -> None:
        await self._way.aclose()

    def _failed(self) -> None:
        self._breaker.failed(_now())


async def _by(deadline: float, speech: AsyncGenerator[SpeechChunk, None]) -> SpeechChunk | None:
    """The next piece; None: there is no more."""
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(speech, None)
    except TimeoutError as e:
        raise SpeechError("ElevenLabs sent no audio in time") from e


def _now() -> float:
    return asyncio.get_running_loop().time()
