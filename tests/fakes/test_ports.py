import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from serve_app.conversation.tools import ApiSchema, WebhookTool
from serve_app.errors import LanguageModelError, ProviderError, SpeechError, ToolError, TranscriptionError
from serve_app.ports import (
    ConversationLog,
    Guard,
    Judgement,
    LanguageModel,
    LogEvent,
    Message,
    ModelRequest,
    Question,
    Speaker,
    Transcriber,
    TurnJudge,
    Voice,
    WebhookCaller,
)
from serve_app.session import Socket
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

VOICE = Voice(agent_output_audio_format="ulaw_8000")


async def transcribe(port: Transcriber) -> Any:
    return (await port.transcribe(b"pcm", language=None, keywords=("Pix",))).text


async def think(port: LanguageModel) -> Any:
    async with aclosing(port.reply(ModelRequest([Message("user", "oi")], "pt"))) as pieces:
        return [piece async for piece in pieces]


async def speak(port: Speaker) -> Any:
    async with aclosing(port.speak("oi", language="pt", voice=VOICE)) as chunks:
        return [len(chunk.audio) async for chunk in chunks]


async def judge(port: TurnJudge) -> Any:
    return await port.judge(Question(b"pcm"))


async def call(port: WebhookCaller) -> Any:
    tool = WebhookTool(name="find", description="", api_schema=ApiSchema("http://127.0.0.1"))
    return await port.call(tool, {"a": 1}, {})


async def inspect(port: Guard) -> Any:
    return await port.is_attack("oi")


PORTS: list[tuple[Callable[..., Any], Callable[[Any], Any], Any, Exception]] = [
    (lambda **s: ScriptedTranscriber("oi", **s), transcribe, "oi", TranscriptionError("down")),
    (lambda **s: ScriptedModel("Olá. Tudo bem?", **s), think, ["Olá. ", "Tudo ", "bem? "], LanguageModelError("down")),
    (lambda **s: ScriptedSpeaker(0.25, **s), speak, [800, 800, 400], SpeechError("down")),
    (lambda **s: ScriptedWebhooks("found", **s), call, "found", ToolError("down")),
    (lambda **s: ScriptedGuard(**s), inspect, True, ProviderError("down")),
    (lambda **s: ScriptedJudge(Judgement(0.5, 0.7), **s), judge, Judgement(0.5, 0.7), TranscriptionError("down")),
]
each_port = pytest.mark.parametrize(("make", "use", "answer", "fault"), PORTS)


@each_port
def test_it_answers(make: Any, use: Any, answer: Any, fault: Exception) -> None:
    port = make()
    assert run(use(port)) == answer
    assert (port.begun, port.cancelled) == (1, 0)


@each_port
def test_it_fails(make: Any, use: Any, answer: Any, fault: Exception) -> None:
    port = make(fault=fault)
    with pytest.raises(type(fault)):
        run(use(port))
    assert port.cancelled == 0


@each_port
def test_it_hangs_until_it_is_broken_off(make: Any, use: Any, answer: Any, fault: Exception) -> None:
    port = make(hangs=True)
    with pytest.raises(TimeoutError):
        run(asyncio.wait_for(use(port), 1000))
    assert (port.begun, port.cancelled) == (1, 1)


def test_closing_a_stream_early_counts_as_breaking_off() -> None:
    speaker = ScriptedSpeaker(1.0)

    async def listen_briefly() -> None:
        async with aclosing(speaker.speak("oi", language="pt", voice=VOICE)) as chunks:
            await anext(chunks)

    run(listen_briefly())
    assert speaker.cancelled == 1


def test_what_they_were_asked_for_is_kept() -> None:
    speaker, transcriber = ScriptedSpeaker(0.1), ScriptedTranscriber()
    run(speak(speaker))
    run(transcribe(transcriber))
    assert (speaker.said, speaker.voices) == (["oi"], [VOICE])
    assert (transcriber.heard, transcriber.keywords) == ([b"pcm"], [("Pix",)])


def test_the_log_keeps_what_it_is_given() -> None:
    log = MemoryLog()
    port: ConversationLog = log
    port.append(LogEvent("conv_1", 0, 0.0, "started", {}))
    assert log.flushed == 0
    run(port.flush())
    assert log.flushed == 1
    assert log.kinds() == {"started": 1}


def test_the_wire_keeps_frames_and_the_close() -> None:
    wire = Wire()
    socket: Socket = wire
    run(socket.send_text('{"type":"ping","ping_event":{"event_id":1,"ping_ms":null}}'))
    run(socket.close(1008, "no"))
    assert wire.types() == ["ping"]
    assert wire.events("ping") == [{"event_id": 1, "ping_ms": None}]
    assert wire.closed == (1008, "no")


def test_a_wire_may_break_or_be_stuck() -> None:
    wire = Wire()
    wire.broken = True
    with pytest.raises(OSError, match="broken"):
        run(wire.send_text("{}"))
    wire.broken, wire.stuck = False, True
    with pytest.raises(TimeoutError):
        run(asyncio.wait_for(wire.send_text("{}"), 1000))
