"""How the fake of ElevenLabs speaks: with espeak-ng, as late as it is told to, keeping a record."""

import asyncio
import base64
import random
import threading
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Any

import msgspec

from deployments.voices.espeak import EspeakVoice
from serve_app.audio.pcm import AudioFormat
from serve_app.ports import Alignment, SpeechChunk, Voice
from tests.fakes.elevenlabs_faults import WAYS, Fault


class Context(msgspec.Struct):
    """What one clause is to the service: a context of `multi-stream-input`, a whole socket of `stream-input`, or one
    HTTP request. `texts` are those to speak, each with the time.monotonic() of its arrival; `spoke_at` is that of the
    first audio. `closed`: the client will send no more; `final`: nor will the service.
    """

    id: str
    settings: dict[str, Any] | None
    texts: list[tuple[float, str]] = []
    sent: bytearray = msgspec.field(default_factory=bytearray)
    spoke_at: float | None = None
    closed: bool = False
    final: bool = False

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)

    def hear(self, text: str) -> None:
        self.texts.append((time.monotonic(), text))


class Received(msgspec.Struct):
    """One socket or HTTP request as it came in. `messages` and `contexts` grow; `closed` is set when either side has
    closed it. `most_live` is how many contexts ElevenLabs ever counted at once.
    """

    way: str
    voice_id: str
    query: dict[str, str]
    api_key: str
    messages: list[dict[str, Any]] = []
    contexts: list[Context] = []
    most_live: int = 0
    closed: threading.Event = msgspec.field(default_factory=threading.Event)

    def begin(self, context: Context) -> None:
        self.contexts.append(context)
        self.most_live = max(self.most_live, len(self.live))

    @property
    def live(self) -> list[Context]:
        """The contexts that ElevenLabs counts."""
        return [] if self.closed.is_set() else [context for context in self.contexts if not context.final]


class Speech:
    """Speaks in the language of `language_code`, at the speed of the `voice_settings`, in any pcm_* or ulaw_8000
    format; the first audio of a text comes `delay_s` after it, and up to `jitter_s` later. `fault` meets the ways in
    `faulty`. `timing_keys` are the keys of starts and durations in a socket's alignment: ElevenLabs' documentation
    and its servers differ in them.
    """

    fault: Fault | None = None

    def __init__(self, delay_s: float, jitter_s: float) -> None:
        self.delay_s = delay_s
        self.jitter_s = jitter_s
        self.faulty: Collection[str] = WAYS
        self.timing_keys = ("charStartTimesMs", "charDurationsMs")

    def fault_of(self, way: str) -> Fault | None:
        return self.fault if way in self.faulty else None

    async def start(self) -> None:
        self._voice = EspeakVoice()

    async def stop(self) -> None:
        await self._voice.aclose()

    async def spoken(self, received: Received, context: Context, text: str) -> AsyncGenerator[SpeechChunk, None]:
        due = time.monotonic() + self.delay_s + random.uniform(0, self.jitter_s)
        voice = Voice(
            voice_id=received.voice_id,
            agent_output_audio_format=received.query["output_format"],
            speed=float((context.settings or {}).get("speed", 1.0)),
        )
        async with aclosing(self._voice.speak(text, language=_language(received), voice=voice)) as chunks:
            async for chunk in chunks:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                context.sent += chunk.audio
                context.spoke_at = context.spoke_at or time.monotonic()
                yield chunk

    def message(self, chunk: SpeechChunk) -> dict[str, Any]:
        """As the sockets send it: times count from the first sample of the chunk."""
        timing = None
        if chunk.alignment and chunk.alignment.chars:
            starts, durations = self.timing_keys
            timing = {
                "chars": chunk.alignment.chars,
                starts: chunk.alignment.starts_ms,
                durations: chunk.alignment.durations_ms,
            }
        audio = base64.b64encode(chunk.audio).decode()
        return {"audio": audio, "isFinal": None, "alignment": timing, "normalizedAlignment": timing}


def timed_line(received: Received, context: Context, chunk: SpeechChunk) -> bytes:
    """As HTTP sends it, when the chunk is the last of what the context was sent: times count from the first sample of
    the whole answer.
    """
    audio_format = AudioFormat.parse(received.query["output_format"])
    offset_s = audio_format.seconds(len(context.sent) - len(chunk.audio))
    timing = _timed_from_start(chunk.alignment, offset_s) if chunk.alignment and chunk.alignment.chars else None
    audio = base64.b64encode(chunk.audio).decode()
    line = {"audio_base64": audio, "alignment": timing, "normalized_alignment": timing}
    return msgspec.json.encode(line) + b"\n\n"


def _timed_from_start(alignment: Alignment, offset_s: float) -> dict[str, Any]:
    starts = [offset_s + start / 1000 for start in alignment.starts_ms]
    durations = [duration / 1000 for duration in alignment.durations_ms]
    return {
        "characters": alignment.chars,
        "character_start_times_seconds": starts,
        "character_end_times_seconds": list(map(sum, zip(starts, durations, strict=True))),
    }


def _language(received: Received) -> str:
    return received.query.get("language_code", "en")
