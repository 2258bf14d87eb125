"""What a session needs from the world. Each port has one or more implementations, chosen in `app.py`.

A new engine, provider or model is one new file behind one of these, and one line in `app.py`.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

import msgspec

from serve_app.conversation.decisions import Judgement
from serve_app.conversation.dialogue import Message, Transcript
from serve_app.conversation.playback import Alignment, SpeechChunk

__all__ = [
    "Alignment",
    "ConversationLog",
    "Judgement",
    "LanguageModel",
    "LogEvent",
    "Message",
    "Speaker",
    "SpeechChunk",
    "Transcriber",
    "Transcript",
    "TurnJudge",
]  # fmt: skip


class Transcriber(Protocol):
    async def transcribe(self, pcm: bytes, *, language: str | None) -> Transcript:
        """Recognise one utterance: s16le, 16 kHz, mono. `language` None: detect it.

        Raises TranscriptionError.
        """
        ...


class Speaker(Protocol):
    def speak(self, text: str, *, language: str, voice_id: str, audio_format: str) -> AsyncGenerator[SpeechChunk, None]:
        """Speak one clause in `audio_format` ("pcm_16000", "ulaw_8000", ...), chunks of any length, as they are ready.

        Closing the iterator (aclose) stops the synthesis. Raises SpeechError.
        """
        ...


class LanguageModel(Protocol):
    def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        """Stream the answer to a dialogue, in pieces of any length. Closing the iterator cancels it.

        Raises LanguageModelError.
        """
        ...


class TurnJudge(Protocol):
    async def judge(self, pcm: bytes) -> Judgement:
        """Score the last seconds of the caller's audio (s16le, 16 kHz, mono; at most 8 s, the end is now).

        Raises ProviderError; the session decides alone then.
        """
        ...


class LogEvent(msgspec.Struct, frozen=True):
    """One fact about a conversation, in order of `sequence` (0, 1, ... per conversation).

    kinds: started, user_turn, agent_turn, correction, interruption, audio, feedback, error, ended.
    """

    conversation_id: str
    sequence: int
    at_unix: float
    kind: str
    data: dict[str, Any]


class ConversationLog(Protocol):
    def append(self, event: LogEvent) -> None:
        """Take an event. Never blocks, never raises: it is written behind, in batches, in order."""
        ...

    async def flush(self) -> None:
        """Return when everything appended so far is stored, or the store has refused it for now."""
        ...
