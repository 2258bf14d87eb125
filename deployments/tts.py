"""Text to speech as a Serve deployment: clauses in, audio out, by the engines that are chosen here."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from importlib.util import find_spec
from typing import Annotated, Any, cast

import msgspec
from ray import serve
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

from deployments.remote import ask, translated
from deployments.voices.budget import in_time
from deployments.voices.chunks import in_chunks, parsed_format
from deployments.voices.elevenlabs import ElevenLabsVoice
from deployments.voices.espeak import EspeakVoice
from deployments.voices.piper import PiperVoice
from deployments.voices.progress import Progress
from deployments.voices.voice_chain import Engine, OnChange, VoiceChain
from serve_app.errors import ConfigurationError, ProviderError, SpeechError
from serve_app.observability import logs
from serve_app.observability.breaker_states import BreakerStates
from serve_app.observability.correlation import carrier
from serve_app.observability.tracing import tracer_of
from serve_app.observability.voice_sockets import VoiceSockets
from serve_app.ports import Fallback, SpeechChunk, Voice
from serve_app.scaling.work import WorkMeter
from serve_app.user_config import UserConfig

logger = logging.getLogger(__name__)

FIRST_AUDIO_S = 1.5
AUDIO_GAP_S = 1.2
"""Of all engines together, and of Serve: with what comes later the caller would have borne 2 s of silence."""
WARM_S = 0.5

# The engines by name, each made from the replica's environment. A new engine is its file and its line here.
ENGINES: dict[str, Callable[[Mapping[str, str], OnChange], Engine]] = {
    "elevenlabs": lambda environ, on_change: ElevenLabsVoice.from_environment(environ, on_change=on_change),
    "piper": lambda environ, on_change: PiperVoice.from_environment(environ),
    "espeak": lambda environ, on_change: EspeakVoice(),
}


def default_engines(environ: Mapping[str, str]) -> list[str]:
    """Best first. The last one needs nothing from outside, but is an optional extra."""
    asked_for = {"elevenlabs": "ELEVENLABS_API_KEY", "piper": "PIPER_VOICE"}
    names = [name for name, variable in asked_for.items() if environ.get(variable)]
    if names and find_spec("espeakng_loader") is None:
        logger.warning("espeak-ng is not installed: no voice stands in for %s. pip install espeakng-loader", names[-1])
        return names
    return [*names, "espeak"]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `user_config` may hold. `generations`: of ElevenLabs', in flight at once in a replica; plans bound them per
    key, so this times the replicas is what the plan must allow."""

    generations: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10


@serve.deployment(max_ongoing_requests=100)
class TtsProxy:
    """Holds the voices. Stateless: any replica speaks any clause."""

    def __init__(self, engines: Sequence[str] | None = None) -> None:
        """`engines` are names in ENGINES, best first; without any, the environment of the replica decides.

        Raises ConfigurationError.
        """
        logs.in_replica(os.environ)
        names = engines or default_engines(os.environ)
        if unknown := [name for name in names if name not in ENGINES]:
            raise ConfigurationError(f"there is no voice engine {unknown[0]!r}; use some of {', '.join(ENGINES)}")
        self._tracer = tracer_of("TtsProxy")
        self._states = BreakerStates()
        made = {name: ENGINES[name](os.environ, self._states) for name in names}
        self._elevenlabs = next((engine for engine in made.values() if isinstance(engine, ElevenLabsVoice)), None)
        self._voices = VoiceChain(list(made.items()), self._states)
        self._sockets = VoiceSockets()
        self._user_config = UserConfig("TtsProxy", Limits)
        self._work = WorkMeter()

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take new limits. See `UserConfig.take`."""
        limits = self._user_config.take(user_config)
        if limits and self._elevenlabs:
            self._elevenlabs.generations = limits.generations

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For the autoscaling policy: clauses in hand since it asked last."""
        return {"work": self._work.mean()}

    def check_health(self) -> None:
        """Serve asks every few seconds, which is when the gauges are told. (A replica that answers is well.)"""
        self._states.tell()
        if self._elevenlabs:
            self._sockets("elevenlabs", self._elevenlabs.sockets)

    async def speak(
        self, text: str, language: str, voice: Voice, carrier: Mapping[str, str] | None = None
    ) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """One clause, streamed. `carrier`: whom it is for. Raises SpeechError."""
        audio_format = parsed_format(voice.agent_output_audio_format)
        with self._work.piece(), self._tracer.served("TtsProxy.speak", carrier) as span:
            speech = self._voices.speak(text, language=language, voice=voice)
            # Serve stops a cancelled call where it yields; the engine would not hear of it.
            async with aclosing(in_chunks(speech, audio_format)) as chunks:
                async for chunk in chunks:
                    span.mark("first_audio_ms")
                    yield chunk

    async def warm(self, language: str, voice: Voice) -> None:
        """A call with this voice begins."""
        await self._voices.warm(language=language, voice=voice)

    def describe(self) -> str:
        """What speaks, for people: "ElevenLabs eleven_flash_v2_5, then espeak-ng (local voice)"."""
        return self._voices.describe()


class _LostCall(SpeechError):
    """Nobody said that the clause cannot be spoken: another replica may speak it."""


class RemoteSpeaker:
    """The `Speaker` on the other side of a handle to TtsProxy."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._streaming = handle.options(stream=True)

    async def warm(self, *, language: str, voice: Voice) -> None:
        """See `serve_app.ports.Speaker`. One replica is told: whichever is the next one's turn."""
        try:
            async with asyncio.timeout(WARM_S):
                await ask(self._handle.warm, language, voice, failure=SpeechError)
        except (ProviderError, TimeoutError):
            pass  # who speaks next finds out, and tells

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """See `serve_app.ports.Speaker`. A replica that hangs is a failure; one that dies costs a word."""
        speech = self._speak_whole(text, language, voice)
        async with aclosing(in_time(speech, first_s=FIRST_AUDIO_S, gap_s=AUDIO_GAP_S)) as timely:
            async for item in timely:
                yield item

    async def _speak_whole(
        self, text: str, language: str, voice: Voice
    ) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """A call that is lost is made once more, for the rest of the text. Which replica gets it is up to Serve."""
        progress = Progress(text, parsed_format(voice.agent_output_audio_format))
        for is_last in (False, True):
            try:
                async with aclosing(self._call(progress.rest, language, voice)) as speech:
                    async for item in speech:
                        yield progress.take(item) if isinstance(item, SpeechChunk) else item
                return
            except _LostCall:
                progress.fail()
                if progress.over:
                    return
                if is_last:
                    raise

    async def _call(self, text: str, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        call = self._streaming.speak.remote(text, language, voice, carrier=carrier())
        stream = cast(DeploymentResponseGenerator[SpeechChunk | Fallback], call)
        try:
            with translated(SpeechError, lost=_LostCall):
                async for item in stream:
                    yield item
        finally:
            # Cancelling the task that consumes a stream does not stop the replica; this does.
            stream.cancel()  # type: ignore[no-untyped-call]
