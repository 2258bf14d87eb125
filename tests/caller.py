"""The client's end of a session with scripted ports, in virtual time. The detector is real, and so is the speech."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import numpy as np
import soxr

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.conversation.agent import Agent, ConversationConfig, Hearing, Persona, Rules, Voice
from serve_app.conversation.playback import CHARS_PER_SECOND
from serve_app.observability.tracing import NO_TRACER
from serve_app.parts import Parts
from serve_app.session import Session
from tests.conversation.score import EVENTS, WAITS
from tests.espeak import render
from tests.fakes.ports import (
    MemoryLog,
    ScriptedGuard,
    ScriptedJudge,
    ScriptedModel,
    ScriptedSpeaker,
    ScriptedTranscriber,
    ScriptedWebhooks,
    Wire,
)
from tests.virtual_time import run

INITIATION = '{"type":"conversation_initiation_client_data"}'
LUMP_S = 0.1
CLAUSES = ["Pois não.", "Sai já um café."]
ANSWER = " ".join(CLAUSES)
SPOKEN_S = sum(map(len, CLAUSES)) / CHARS_PER_SECOND


@cache
def speech() -> Samples:
    return render("quero marcar uma consulta", "pt")


def agent(first_message: str = "", audio_format: str = "pcm_16000") -> Agent:
    return Agent(
        "test",
        ConversationConfig(
            agent=Persona(first_message=first_message),
            turn=WAITS,
            conversation=Rules(client_events=EVENTS),
            asr=Hearing(audio_format),
            tts=Voice(agent_output_audio_format=audio_format),
        ),
    )


class Call:
    """One session, its parts, and the client's end of the line."""

    def __init__(self, described: Agent | None = None, **parts: Any) -> None:
        self.agent = described or agent()
        self.transcriber: ScriptedTranscriber = parts.get("transcriber") or ScriptedTranscriber()
        self.model: ScriptedModel = parts.get("model") or ScriptedModel(ANSWER)
        self.speaker: ScriptedSpeaker = parts.get("speaker") or ScriptedSpeaker()
        self.webhooks: ScriptedWebhooks = parts.get("webhooks") or ScriptedWebhooks()
        self.guard: ScriptedGuard | None = parts.get("guard")
        self.judge: ScriptedJudge = parts.get("judge") or ScriptedJudge()
        self.log = MemoryLog()
        self.wire = Wire()
        self.waits: list[float] = []
        self.session = Session(
            "conv_1",
            "default",
            {"default": self.agent},
            Parts(
                self.transcriber,
                self.speaker,
                self.model,
                self.webhooks,
                self.judge,
                self.log,
                self.waits.append,
                tracer=parts.get("tracer") or NO_TRACER,
                guard=self.guard,
            ),
        )
        self.session.attach(self.wire)

    async def sends(self, text: str) -> None:
        self.session.receive(text)
        await asyncio.sleep(0)

    async def sounds(self, samples: Samples) -> None:
        """Audio at 16 kHz, in real time, in the agent's format."""
        audio_format = AudioFormat.parse(self.agent.conversation_config.asr.user_input_audio_format)
        samples = soxr.resample(samples, RATE, audio_format.rate) if audio_format.rate != RATE else samples
        lump = round(LUMP_S * audio_format.rate)
        for start in range(0, len(samples), lump):
            await asyncio.sleep(LUMP_S)
            audio = base64.b64encode(audio_format.encode(np.ascontiguousarray(samples[start : start + lump]))).decode()
            await self.sends(json.dumps({"user_audio_chunk": audio}))

    async def speaks(self) -> None:
        await self.sounds(speech())

    async def is_silent(self, seconds: float) -> None:
        await self.sounds(np.zeros(round(seconds * RATE), np.int16))

    def kinds(self) -> list[str]:
        """The log's, audio in a row told once."""
        kinds = [event.kind for event in self.log.entries]
        return [kind for i, kind in enumerate(kinds) if not i or kind != "audio" or kinds[i - 1] != "audio"]


Score = Callable[[Call], Awaitable[None]]


def play(score: Score, described: Agent | None = None, *, hangs_up: bool = True, **parts: Any) -> Call:
    """Run a call to its end, which is the client's if it hangs up. Nothing of it may be left running."""

    async def perform() -> Call:
        call = Call(described, **parts)
        running = asyncio.create_task(call.session.run())
        await score(call)
        if hangs_up:
            call.session.detach(call.wire, 1000)
        await asyncio.wait_for(running, 60)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task outlived its call"
        return call

    call = run(perform())
    assert [event.sequence for event in call.log.entries] == list(range(len(call.log.entries)))
    assert call.log.flushed == len(call.log.entries)
    return call


async def a_turn(call: Call) -> None:
    await call.sends(INITIATION)
    await call.is_silent(0.5)
    await call.speaks()
    await call.is_silent(3)
