"""Calls through everything but Ray: sessions and their parts as `app.compose` joins them, and the providers' fakes.

Time is real, and so are the sockets: each provider is a server of its own on a loopback port.
"""

import asyncio
import itertools
import threading
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from deployments.tts import RemoteSpeaker, default_engines
from deployments.turn_rules import TurnRules
from deployments.vad import RemoteJudge
from deployments.whisper import RemoteTranscriber
from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_weights import find_weights
from serve_app.app import choose_models, choose_transcriber
from serve_app.conversation.agent import Agent, ConversationConfig, Persona, Rules, Turn
from serve_app.conversation.breaker import PROBE_AFTER_S, State
from serve_app.conversation.known_clauses import known_clauses
from serve_app.errors import TranscriptionError
from serve_app.parts import Parts
from serve_app.ports import Question
from serve_app.providers.hedged_transcriber import HedgedTranscriber
from serve_app.providers.prepared_speaker import PreparedSpeaker
from serve_app.providers.webhook import HttpWebhooks
from serve_app.session import Session
from serve_app.settings import Settings
from tests.fakes.elevenlabs_server import FakeElevenLabs
from tests.fakes.groq_server import Behaviour, FakeGroq
from tests.fakes.ports import MemoryLog
from tests.faults.handles import Handle
from tests.faults.line import Line
from tests.faults.voice_replica import VoiceReplica
from tests.faults.whisper_replica import WhisperReplica

STT_S, LLM_S, TTS_S = 0.120, 0.150, 0.150
"""What the providers take when they are well: an utterance, a first token, a first sound."""

NOTICE_S = 0.2
"""For a server to see that a connection was closed."""

AGENT_ID = "default"
AGENT = Agent(
    "Shop",
    ConversationConfig(
        agent=Persona(language="en"),
        turn=Turn(turn_timeout=30),
        conversation=Rules(
            client_events=(
                "audio",
                "interruption",
                "agent_response",
                "agent_response_correction",
                "user_transcript",
                "tentative_user_transcript",
            )
        ),
    ),
)

Message = dict[str, Any]


class Rig:
    """An async context manager. Without `backup_model` the language model is alone, without `local_voice` ElevenLabs
    is; the recogniser always has the local one behind it, until that is killed."""

    def __init__(
        self, *, backup_model: bool = True, local_voice: bool = True, voice: FakeElevenLabs | None = None
    ) -> None:
        self.stt = FakeGroq(hear=hear)
        self.llm = FakeGroq(answer=answer)
        self.backup = FakeGroq(answer=answer) if backup_model else None
        self.voice = voice or FakeElevenLabs()
        self.whisper = WhisperReplica()
        self.log = MemoryLog()
        self.states: dict[str, State] = {}
        self.contexts_left = 0  # at the voice, after everything here was closed
        self._local_voice = local_voice
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> "Rig":
        async with AsyncExitStack() as closing:
            for fake in (self.stt, self.llm, self.backup, self.voice):
                if fake:
                    await asyncio.to_thread(fake.__enter__)
                    closing.push_async_callback(asyncio.to_thread, fake.__exit__, None, None, None)
            closing.push_async_callback(self._look_at_voice)
            await self.whisper.start()
            closing.push_async_callback(self.whisper.aclose)
            await self._compose(closing)
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def _look_at_voice(self) -> None:
        await asyncio.sleep(NOTICE_S)
        self.contexts_left = self.voice.live_contexts

    async def _compose(self, closing: AsyncExitStack) -> None:
        """As `app.compose` and `TtsProxy` do it."""
        environ = self._environ()
        settings = Settings.from_environment(environ)
        voices = [name for name in default_engines(environ) if name != "espeak" or self._local_voice]
        self.proxy = VoiceReplica(voices, environ, self._changed)
        closing.push_async_callback(self.proxy.aclose)
        local = RemoteTranscriber(Handle(self.whisper))  # type: ignore[arg-type]
        transcriber = choose_transcriber(settings, local, self._changed)
        assert isinstance(transcriber, HedgedTranscriber)
        closing.push_async_callback(transcriber.aclose)
        models, webhooks = choose_models(settings, environ, self._changed), HttpWebhooks(environ)
        closing.push_async_callback(models.aclose)
        closing.push_async_callback(webhooks.aclose)
        speaker = PreparedSpeaker(RemoteSpeaker(Handle(self.proxy)), known_clauses(AGENT))  # type: ignore[arg-type]
        await speaker.prepare()
        self._set_pace()
        judge = RemoteJudge(Handle(_Vad()))  # type: ignore[arg-type]
        self._parts = Parts(transcriber, speaker, models, webhooks, judge, self.log, lambda seconds: None)

    def _environ(self) -> dict[str, str]:
        environ = {
            "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
            "GROQ_API_KEY": "stt-key",
            "GROQ_BASE_URL": self.stt.url,
            "LLM_BASE_URL": self.llm.chat_url,
            "LLM_API_KEY": "llm-key",
            "LLM_MODEL": "first-model",
            "ELEVENLABS_API_KEY": "voice-key",
            "ELEVENLABS_BASE_URL": self.voice.url,
        }
        if self.backup:
            environ |= {
                "LLM_BACKUP_MODEL": "second-model",
                "LLM_BACKUP_BASE_URL": self.backup.chat_url,
                "LLM_BACKUP_API_KEY": "backup-key",
            }
        return environ

    def _set_pace(self) -> None:
        self.stt.behaviours = {"stt": Behaviour(delay_s=STT_S)}
        for llm in (self.llm, self.backup):
            if llm:
                llm.behaviours = {"chat": Behaviour(delay_s=LLM_S)}
        self.voice.delay_s = TTS_S

    def _changed(self, name: str, state: State) -> None:
        self.states[name] = state

    def call(self) -> Line:
        session = Session(f"conv_{next(self._numbers)}", AGENT_ID, {AGENT_ID: AGENT}, self._parts)
        return Line(session, self.log)

    async def until_probed(self) -> None:
        """Providers that are left alone are tried again from now on."""
        if any(state is State.OPEN for state in self.states.values()):
            await asyncio.sleep(PROBE_AFTER_S)


class _Vad:
    """As the deployment: it may block."""

    async def judge(self, question: Question, carrier: Mapping[str, str]) -> Any:
        return await asyncio.to_thread(TurnRules().judge, question)


# ---- what the fakes say

_engine = WhisperEngine(find_weights(None))
_hearing = threading.Lock()


def hear(pcm: bytes) -> str:
    """The words, by the bundled recogniser."""
    with _hearing:
        [transcript] = _engine.transcribe([Utterance(pcm, "en")])
    if isinstance(transcript, TranscriptionError):
        raise transcript
    return transcript.text


ANSWERS = {
    "yes please": "Of course.",
    "how are you": "Fine, thank you.",
    "i forgot my password": "You can choose a new one on our page. I will send you the address.",
    "i want to talk to an agent": "I will see who is there. It will take a minute. Please stay on the line. Thank you.",
}
OTHER = "All right. It is done."


def answer(messages: Sequence[Message]) -> str:
    """To the caller's last words; where another model has begun to answer them, what is left of the answer."""
    heard = max(place for place, message in enumerate(messages) if message["role"] == "user")
    said = "".join(message["content"] for message in messages[heard:] if message["role"] == "assistant")
    whole = ANSWERS.get(messages[heard]["content"].strip().lower(), OTHER)
    return whole.removeprefix(said)
