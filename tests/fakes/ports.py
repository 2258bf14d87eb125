"""A session's ports, scripted: what each is asked is kept; what it answers, and how late, is given.

A `fault` is raised instead of an answer; with `hangs` none comes. `cancelled` counts what the session broke off.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.dynamic_variables import Variables
from serve_app.conversation.playback import CHARS_PER_SECOND
from serve_app.conversation.tools import WebhookTool
from serve_app.ports import (
    Judgement,
    LogEvent,
    Message,
    ModelRequest,
    Question,
    Reasoning,
    SpeechChunk,
    ToolCall,
    Transcript,
    Voice,
)


class Scripted:
    """What the ports have in common: they wait, then fail, hang or answer."""

    def __init__(self, *, delay_s: float = 0.0, fault: Exception | None = None, hangs: bool = False) -> None:
        self.delay_s, self.fault, self.hangs = delay_s, fault, hangs
        self.begun = self.cancelled = 0

    async def _wait(self) -> None:
        await asyncio.sleep(self.delay_s)
        if self.fault:
            raise self.fault
        if self.hangs:
            await asyncio.Event().wait()

    @contextmanager
    def _work(self) -> Iterator[None]:
        self.begun += 1
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise


class ScriptedTranscriber(Scripted):
    """Hears `text`, whatever is said."""

    def __init__(self, text: str = "quero um café", **script: Any) -> None:
        super().__init__(**script)
        self.text = text
        self.heard: list[bytes] = []
        self.keywords: list[Sequence[str]] = []
        self.looks = 0

    async def transcribe(
        self, pcm: bytes, *, language: str | None, keywords: Sequence[str] = (), tentative: bool = False
    ) -> Transcript:
        if tentative:
            self.looks += 1
            return Transcript(self.text, language or "pt", 0.9)
        with self._work():
            self.heard.append(pcm)
            self.keywords.append(keywords)
            await self._wait()
            return Transcript(self.text, language or "pt", 0.9)


class ScriptedModel(Scripted):
    """Answers with `text`, word by word; a fault or a hang comes after them."""

    def __init__(self, text: str = "Pois não. Sai já um café.", *, token_s: float = 0.010, **script: Any) -> None:
        super().__init__(**script)
        self.text, self.token_s = text, token_s
        self.asked: list[Sequence[Message]] = []

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning, None]:
        with self._work():
            self.asked.append(request.messages)
            for word in self.text.split():
                await asyncio.sleep(self.token_s)
                yield f"{word} "
            await self._wait()


class ScriptedSpeaker(Scripted):
    """Speaks a steady level, `chunk_s` at a time, one chunk every `delay_s`; a fault or a hang comes after the sound.

    `seconds` is the length of every clause; without it, the length is the text's.
    """

    chunk_s = 0.1

    def __init__(self, seconds: float | None = None, **script: Any) -> None:
        super().__init__(**script)
        self.seconds = seconds
        self.said: list[str] = []
        self.voices: list[Voice] = []
        self.warmed: list[Voice] = []

    async def warm(self, *, language: str, voice: Voice) -> None:
        self.warmed.append(voice)

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        with self._work():
            self.said.append(text)
            self.voices.append(voice)
            spoken = AudioFormat.parse(voice.agent_output_audio_format)
            left = self.seconds if self.seconds is not None else len(text) / CHARS_PER_SECOND
            while left > 0:
                await asyncio.sleep(self.delay_s)
                yield SpeechChunk(b"\x20" * spoken.bytes_for(min(left, self.chunk_s)))
                left -= self.chunk_s
            await self._wait()


class ScriptedWebhooks(Scripted):
    """Every tool answers `text`."""

    def __init__(self, text: str = "ok", **script: Any) -> None:
        super().__init__(**script)
        self.text = text
        self.called: list[tuple[str, Mapping[str, Any]]] = []

    async def call(self, tool: WebhookTool, arguments: Mapping[str, Any], variables: Variables) -> str:
        with self._work():
            self.called.append((tool.name, arguments))
            await self._wait()
            return self.text


class ScriptedJudge(Scripted):
    def __init__(self, judgement: Judgement = Judgement(turn_end=1.0, interruption=0.0), **script: Any) -> None:  # noqa: B008 - frozen
        super().__init__(**script)
        self.judgement = judgement
        self.questions: list[Question] = []

    async def judge(self, question: Question) -> Judgement:
        with self._work():
            self.questions.append(question)
            await self._wait()
            return self.judgement


class ScriptedGuard(Scripted):
    """Takes everything for an attack, or nothing."""

    def __init__(self, *, is_attack: bool = True, **script: Any) -> None:
        super().__init__(**script)
        self.verdict = is_attack
        self.words: list[str] = []

    async def is_attack(self, words: str) -> bool:
        with self._work():
            self.words.append(words)
            await self._wait()
            return self.verdict


class MemoryLog:
    """`entries` are everybody's, in order. The epoch of a conversation is that of whoever took it over last."""

    def __init__(self) -> None:
        self.entries: list[LogEvent] = []
        self.flushed = 0
        self._epochs: Counter[str] = Counter()

    def append(self, event: LogEvent) -> None:
        if event.epoch >= self._epochs[event.conversation_id]:
            self.entries.append(event)

    async def flush(self) -> None:
        self.flushed = len(self.entries)

    async def events(self, conversation_id: str) -> list[LogEvent]:
        return [event for event in self.entries if event.conversation_id == conversation_id]

    async def take_over(self, conversation_id: str, epoch: int) -> bool:
        fits = self._epochs[conversation_id] == epoch - 1
        self._epochs[conversation_id] += fits
        return fits

    def kinds(self) -> Counter[str]:
        return Counter(event.kind for event in self.entries)


class Wire:
    """The server's end of a socket. `stuck`: the client takes nothing more; `broken`: it is gone."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, dict[str, Any]]] = []
        self.closed: tuple[int, str | None] | None = None
        self.stuck = self.broken = False

    async def send_text(self, data: str) -> None:
        if self.broken:
            raise OSError("broken pipe")
        if self.stuck:
            await asyncio.Event().wait()
        assert self.closed is None, "a frame after the close"
        self.frames.append((asyncio.get_running_loop().time(), json.loads(data)))

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)

    def types(self) -> list[str]:
        return [frame["type"] for _, frame in self.frames]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The fields of every frame of this type."""
        return [next(v for k, v in frame.items() if k != "type") for _, frame in self.frames if frame["type"] == kind]
