"""What each deployment records of a call, when whoever asks is recorded too."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from ray import serve

from deployments.tts import ENGINES, RemoteSpeaker, TtsProxy
from deployments.turn_rules import TurnRules
from deployments.vad import RemoteJudge, Vad
from deployments.whisper import RemoteTranscriber
from serve_app.errors import SpeechError
from serve_app.observability.correlation import conversation_id, work_for
from serve_app.observability.tracing import Tracer, tracer_of
from serve_app.ports import Judgement, Question, Voice
from tests.deployments.patient_whisper import patient_whisper
from tests.deployments.tone_voice import UNSPEAKABLE, ToneVoice
from tests.espeak import render
from tests.fakes.elevenlabs_server import FakeElevenLabs
from tests.fakes.otlp_receiver import OtlpReceiver, ReceivedSpan

SHORTLY = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **SHORTLY}.items():
            monkeypatch.setenv(name, value)
        yield receiver


def asked(collector: OtlpReceiver, name: str, ask: Callable[[], Awaitable[Any]]) -> tuple[ReceivedSpan, ReceivedSpan]:
    """From a conversation; the span there, and the one of whoever was asked."""
    gateway: Tracer = tracer_of("Gateway")

    async def main() -> None:
        trace = gateway.conversation("conv_1", "default", time.time, epoch=0)
        work_for("conv_1", trace.root)
        with trace.begin("ask"):
            await ask()
        trace.end(1000, "over")
        await gateway.aclose()

    asyncio.run(main())
    spans = {span.name: span for span in collector.until(lambda spans: len(spans) == 3)}
    here, there = spans["ask"], spans[name]
    assert (there.parent_id, there.trace_id, there.kind) == (here.span_id, here.trace_id, "server")
    assert there.attributes["conversation_id"] == "conv_1"
    return here, there


def test_a_judgement(collector: OtlpReceiver) -> None:
    judge = RemoteJudge(serve.run(Vad.bind(Attentive), _local_testing_mode=True))
    _, span = asked(collector, "Vad.judge", lambda: judge.judge(Question(bytes(32_000))))
    assert span.resource["deployment"] == "Vad"
    assert span.attributes["waited_ms"] >= 0
    assert 20 <= span.attributes["computed_ms"] <= span.seconds * 1000


class Attentive(TurnRules):
    """Takes its time, and knows for whom."""

    def judge(self, question: Question) -> Judgement:
        assert conversation_id.get() == "conv_1"
        time.sleep(0.02)
        return super().judge(question)


def test_a_recognition(collector: OtlpReceiver) -> None:
    sound = render("good morning", "en").tobytes()
    with patient_whisper() as handle:
        whisper = RemoteTranscriber(handle)
        _, span = asked(collector, "LocalWhisper.transcribe", lambda: whisper.transcribe(sound, language="en"))
    assert span.attributes["batch"] == 1
    assert span.attributes["waited_ms"] >= 50, "for company"
    assert span.attributes["computed_ms"] > 1
    assert span.attributes["waited_ms"] + span.attributes["computed_ms"] <= span.seconds * 1000
    assert "morning" not in str(span)


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> RemoteSpeaker:
    monkeypatch.setitem(ENGINES, "tone", ToneVoice)
    return RemoteSpeaker(serve.run(TtsProxy.bind(["tone"]), _local_testing_mode=True))


async def speak(speaker: RemoteSpeaker, text: str) -> None:
    async with aclosing(speaker.speak(text, language="en", voice=Voice())) as chunks:
        async for _ in chunks:
            pass


def test_a_clause(collector: OtlpReceiver, speaker: RemoteSpeaker) -> None:
    _, span = asked(collector, "TtsProxy.speak", lambda: speak(speaker, "hello"))
    assert span.attributes["engine"] == "tone"
    assert 0 < span.attributes["first_audio_ms"] <= span.seconds * 1000
    assert "hello" not in str(span.attributes)


def test_a_clause_that_elevenlabs_speaks(collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under which name it knows the clause."""
    with FakeElevenLabs() as server:
        monkeypatch.setenv("ELEVENLABS_API_KEY", "secret")
        monkeypatch.setenv("ELEVENLABS_BASE_URL", server.url)
        speaker = RemoteSpeaker(serve.run(TtsProxy.bind(["elevenlabs"]), _local_testing_mode=True))
        _, span = asked(collector, "TtsProxy.speak", lambda: speak(speaker, "good morning"))
    assert (span.attributes["engine"], span.attributes["way"]) == ("elevenlabs", "multi-stream-input")
    assert span.attributes["context_id"].startswith("c")


def test_a_clause_that_cannot_be_spoken(collector: OtlpReceiver, speaker: RemoteSpeaker) -> None:
    async def fail() -> None:
        with pytest.raises(SpeechError):
            await speak(speaker, f"ab{UNSPEAKABLE}c")

    _, span = asked(collector, "TtsProxy.speak", fail)
    assert (span.failed, span.attributes["error.type"]) == (True, "SpeechError")


def test_a_clause_that_is_broken_off(collector: OtlpReceiver, speaker: RemoteSpeaker) -> None:
    async def leave() -> None:
        async with aclosing(speaker.speak("a~", language="en", voice=Voice())) as chunks:
            await anext(chunks)

    _, span = asked(collector, "TtsProxy.speak", leave)
    assert (span.failed, span.attributes["cancelled"]) == (False, True)
