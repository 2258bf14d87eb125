"""What a session needs from the world. Each port has one or more implementations, chosen in `app.py`.

A new engine, provider or model is one new file behind one of these, and one line in `app.py`.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.conversation.agent import Voice
from serve_app.conversation.decisions import Judgement
from serve_app.conversation.dialogue import Message, Transcript
from serve_app.conversation.dynamic_variables import Variables
from serve_app.conversation.fallback import Fallback
from serve_app.conversation.log_event import LogEvent
from serve_app.conversation.model_request import ModelRequest, Reasoning
from serve_app.conversation.playback import Alignment, SpeechChunk
from serve_app.conversation.tools import ToolCall, ToolSpec, WebhookTool

__all__ = [
    "Alignment",
    "ConversationLog",
    "Fallback",
    "Guard",
    "Judgement",
    "LanguageModel",
    "LogEvent",
    "Message",
    "ModelRequest",
    "Question",
    "Reasoning",
    "Recorder",
    "Speaker",
    "SpeechChunk",
    "Take",
    "ToolCall",
    "ToolSpec",
    "Transcriber",
    "Transcript",
    "TurnJudge",
    "Voice",
    "WebhookCaller",
]  # fmt: skip


class Transcriber(Protocol):
    async def transcribe(
        self, pcm: bytes, *, language: str | None, keywords: Sequence[str] = (), tentative: bool = False
    ) -> Transcript:
        """Recognise one utterance: s16le, 16 kHz, mono. `language` None: detect it. `keywords`: words to expect.
        `tentative`: the caller is still speaking. What others wait for goes first, and nothing is tried twice.

        Raises TranscriptionError.
        """
        ...


class Speaker(Protocol):
    def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """Speak one clause in the voice's own format ("pcm_16000", "ulaw_8000", ...), in chunks of any length, as they
        are ready. A Fallback among them: another engine goes on from here.

        Closing the iterator (aclose) stops the synthesis. Raises SpeechError.
        """
        ...

    async def warm(self, *, language: str, voice: Voice) -> None:
        """A call with this voice begins: get ready to speak. Returns when that is begun; never raises."""
        ...


class LanguageModel(Protocol):
    def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning | Fallback, None]:
        """Stream the answer: text in pieces of any length, each tool call whole. Closing the iterator cancels it. A
        Fallback among them: another model goes on from here.

        Raises LanguageModelError, also for an answer with neither text nor a call.
        """
        ...


class Guard(Protocol):
    async def is_attack(self, words: str) -> bool:
        """Whether the caller's words are meant to change what the agent was told.

        Raises ProviderError, also if that takes too long; the conversation gets by without it.
        """
        ...


class WebhookCaller(Protocol):
    async def call(self, tool: WebhookTool, arguments: Mapping[str, Any], variables: Variables) -> str:
        """Make the tool's HTTP request; its answer, for the model to read. `arguments` are complete and checked.

        Raises ToolError, for any other status than 2xx too: the text is for the model.
        """
        ...


class Question(msgspec.Struct, frozen=True):
    """What the judge is asked: has the turn ended in this pause, or, with `overlap`, is this an interruption?

    pcm: the caller's last seconds, s16le, 16 kHz, mono, at most 8 s; the end is now. `onset`: the sample in it at which
    the speech in question begins (0: there or before). words: what has been recognised of that speech, as far as is
    known. language: ISO 639-1, of the conversation. dialogue: what was said before, the newest last.
    """

    pcm: bytes
    onset: int = 0
    overlap: bool = False
    words: str = ""
    language: str = ""
    dialogue: tuple[Message, ...] = ()


class TurnJudge(Protocol):
    async def judge(self, question: Question) -> Judgement:
        """Raises ProviderError; the session decides alone then."""
        ...


class Take(Protocol):
    """One call's recording while it runs. Positions are samples at 16 kHz on the caller's time line: 0 is the first
    sample the caller ever sent in this conversation. Nothing here blocks or raises: what cannot be kept is logged."""

    def caller(self, at: int, samples: Samples) -> None:
        """Kept by reference until written: not to be changed."""
        ...

    def agent(self, at: int, audio: bytes) -> None:
        """Whole samples in the agent's wire format, as they left; they sound from `at` on, or after what was given
        before, as in the client's queue."""
        ...

    def cut(self, at: int) -> None:
        """The client has dropped what it had not played: nothing given so far sounds from `at` on."""
        ...

    async def close(self) -> None:
        """Write the rest."""
        ...


class Recorder(Protocol):
    def begin(self, conversation_id: str, voice: AudioFormat, *, epoch: int = 0) -> Take:
        """A further part of the recording, if there is one of an earlier epoch."""
        ...


class ConversationLog(Protocol):
    def append(self, event: LogEvent) -> None:
        """Take an event: when this returns, it outlives the process. Never raises. PostgreSQL gets it behind, in
        batches, in order."""
        ...

    async def flush(self) -> None:
        """Return when everything appended so far is stored, or the store has refused it for now."""
        ...

    async def events(self, conversation_id: str) -> list[LogEvent]:
        """All that is known of a conversation, whoever has logged it: by this node's journals or by PostgreSQL. Empty:
        there is none. Raises StoreError."""
        ...

    async def take_over(self, conversation_id: str, epoch: int) -> bool:
        """Be the one who writes to it, if its epoch is still the one before this: from now on what others append is
        refused, and they are told. Call `events` after it, and go on from there. Raises StoreError."""
        ...
