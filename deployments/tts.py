"""Text to speech as a Serve deployment: clauses in, audio out, by the engine that is chosen here."""

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol, cast

from ray import serve
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

from deployments.elevenlabs import ElevenLabsVoice
from deployments.espeak import EspeakVoice
from deployments.remote import translated
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import SpeechChunk, Voice


class Engine(Protocol):
    """A voice engine: a `Speaker`, as an async generator, that can say what it is."""

    def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]: ...

    def describe(self) -> str: ...


# The engines by name, each made from the replica's environment. A new engine is its file and its line here.
ENGINES: dict[str, Callable[[Mapping[str, str]], Engine]] = {
    "elevenlabs": ElevenLabsVoice.from_environment,
    "espeak": lambda environ: EspeakVoice(),
}


def default_engine(environ: Mapping[str, str]) -> str:
    return "elevenlabs" if environ.get("ELEVENLABS_API_KEY") else "espeak"


@serve.deployment(max_ongoing_requests=100)
class TtsProxy:
    """Holds one engine. Stateless: any replica speaks any clause."""

    def __init__(self, engine: str | None = None) -> None:
        """`engine` is a name in ENGINES; without one, the environment of the replica decides.

        Raises ConfigurationError.
        """
        name = engine or default_engine(os.environ)
        if name not in ENGINES:
            raise ConfigurationError(f"there is no voice engine {name!r}; use one of {', '.join(ENGINES)}")
        self._engine = ENGINES[name](os.environ)

    async def speak(self, text: str, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """One clause, streamed. Raises SpeechError."""
        chunks = self._engine.speak(text, language=language, voice=voice)
        # Serve stops a cancelled call where it yields; the engine would not hear of it.
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def describe(self) -> str:
        """What speaks, for people: "ElevenLabs eleven_flash_v2_5"."""
        return self._engine.describe()


class RemoteSpeaker:
    """The `Speaker` on the other side of a handle to TtsProxy."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle.options(stream=True)

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """See `serve_app.ports.Speaker`."""
        call = self._handle.speak.remote(text, language, voice)
        stream = cast(DeploymentResponseGenerator[SpeechChunk], call)
        try:
            with translated(SpeechError):
                async for chunk in stream:
                    yield chunk
        finally:
            # Cancelling the task that consumes a stream does not stop the replica; this does.
            stream.cancel()  # type: ignore[no-untyped-call]
