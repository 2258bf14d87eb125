"""The client of ElevenLabs, over a real socket, against a fake that speaks its wire."""

import asyncio
import http
import socket
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from deployments import elevenlabs
from deployments.elevenlabs import ElevenLabsVoice
from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat, level_db
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import Alignment, Voice
from tests.deployments.elevenlabs_calls import CLAUSE, KEY, aligned_text, said, until, with_voice
from tests.fakes.elevenlabs_server import FakeElevenLabs, Fault

LONG = "This is a rather long sentence that nobody wants to hear to its end. " * 20


@pytest.fixture
def server() -> Iterator[FakeElevenLabs]:
    with FakeElevenLabs() as fake:
        yield fake


def test_a_clause_on_the_wire(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        clause = server.received[0]
        assert (clause.voice_id, clause.api_key) == ("voice%2F1", KEY)
        assert clause.query == {
            "model_id": "eleven_flash_v2_5",
            "output_format": "pcm_16000",
            "language_code": "en",
            "auto_mode": "true",
            "sync_alignment": "true",
            "inactivity_timeout": "20",
        }
        init, text, end = clause.messages
        assert init["text"] == " "
        assert init["voice_settings"] == {"stability": 0.5, "similarity_boost": 0.8, "speed": 1.0}
        assert text == {"text": "good morning ", "flush": True}
        assert end == {"text": ""}

    with_voice(server.url, scenario)


def test_the_voice_asked_for_is_on_the_wire(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice, model_id="eleven_turbo_v2_5", stability=0.3, similarity_boost=0.9, speed=1.2)
        assert server.received[0].query["model_id"] == "eleven_turbo_v2_5"
        settings = {"stability": 0.3, "similarity_boost": 0.9, "speed": 1.2}
        assert server.received[0].messages[0] == {"text": " ", "voice_settings": settings}

    with_voice(server.url, scenario)


@pytest.mark.parametrize("audio_format", SUPPORTED_FORMATS, ids=lambda audio_format: audio_format.name)
def test_every_format_comes_as_asked_for_and_untouched(server: FakeElevenLabs, audio_format: AudioFormat) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        chunks = await said(voice, agent_output_audio_format=audio_format.name)
        audio = b"".join(chunk.audio for chunk in chunks)
        assert 0.7 < audio_format.seconds(len(audio)) < 1.1
        assert level_db(audio_format.decode(audio)) > -30
        assert audio == server.received[0].sent

    with_voice(server.url, scenario)


@pytest.mark.parametrize(
    "timing_keys",
    [
        ("charStartTimesMs", "charDurationsMs"),
        ("charsStartTimesMs", "charsDurationsMs"),
        ("charStartTimesMs", "charsDurationsMs"),
    ],
)
def test_alignment_in_either_spelling(server: FakeElevenLabs, timing_keys: tuple[str, str]) -> None:
    server.timing_keys = timing_keys

    async def scenario(voice: ElevenLabsVoice) -> None:
        chunks = await said(voice)
        assert aligned_text(chunks) == "good morning "
        last_ms = 0.0
        for chunk in chunks:
            if chunk.alignment:
                assert all(0 <= start <= len(chunk.audio) / 32 for start in chunk.alignment.starts_ms)
                last_ms = max(last_ms, *chunk.alignment.starts_ms)
        assert last_ms > 0

    with_voice(server.url, scenario)


@pytest.mark.parametrize(
    ("timing", "alignment"),
    [
        ({"chars": ["a"], "charStartTimesMs": [1.6], "charDurationsMs": [80.2]}, Alignment(("a",), (2,), (80,))),
        ({"chars": None, "charStartTimesMs": None, "charDurationsMs": None}, Alignment((), (), ())),
        ({"chars": ["a", "b"], "charStartTimesMs": [0], "charDurationsMs": [80]}, None),
    ],
)
def test_alignments_that_are_odd(timing: dict[str, Any], alignment: Alignment | None) -> None:
    assert msgspec.convert(timing, elevenlabs._Timing).as_alignment() == alignment


def test_nothing_to_say_opens_nothing(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        for text in ("", "  ", "...", "—"):
            assert await said(voice, text) == []
        assert server.received == []

    with_voice(server.url, scenario)


def test_clauses_side_by_side_do_not_mix(server: FakeElevenLabs) -> None:
    texts = [f"this is clause number {number}" for number in range(6)]

    async def scenario(voice: ElevenLabsVoice) -> None:
        for text, chunks in zip(texts, await asyncio.gather(*(said(voice, text) for text in texts)), strict=True):
            assert aligned_text(chunks) == f"{text} "

    with_voice(server.url, scenario)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.BAD_KEY, "HTTP 401"),
        (Fault.FORBIDDEN, "HTTP 403"),
        (Fault.RATE_LIMIT, "HTTP 429"),
        (Fault.ERROR, r"quota_exceeded \(1008\)"),
        (Fault.EARLY_CLOSE, "before the end: 1000"),
        (Fault.NO_AUDIO, "without audio"),
        (Fault.MALFORMED, "not a message"),
        (Fault.STALL, "no audio in time"),
        (Fault.STALL_MIDWAY, "no audio in time"),
    ],
)
def test_every_fault_is_told_and_passes(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch, fault: Fault, told: str
) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        server.fault = fault
        if fault in (Fault.STALL, Fault.STALL_MIDWAY):
            monkeypatch.setattr(elevenlabs, "FIRST_AUDIO_S", 0.5)
            monkeypatch.setattr(elevenlabs, "AUDIO_GAP_S", 0.2)
        with pytest.raises(SpeechError, match=told) as failure:
            await said(voice)
        assert KEY not in repr(failure.value)
        assert CLAUSE not in repr(failure.value)
        server.fault = None
        monkeypatch.undo()
        assert aligned_text(await said(voice)) == "good morning "

    with_voice(server.url, scenario)


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        began = time.monotonic()
        with pytest.raises(SpeechError, match="in time"):
            await said(voice)
        assert time.monotonic() - began < 2

    monkeypatch.setattr(elevenlabs, "FIRST_AUDIO_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # connections wait in its backlog
        with_voice(f"http://127.0.0.1:{deaf.getsockname()[1]}", scenario)


def test_nobody_listens() -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        with pytest.raises(SpeechError, match="cannot be reached: ConnectionRefusedError"):
            await said(voice)

    with_voice("http://127.0.0.1:1", scenario)


def test_the_key_does_not_follow_a_redirect(server: FakeElevenLabs) -> None:
    def redirect(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(http.HTTPStatus.TEMPORARY_REDIRECT, "")
        response.headers["Location"] = f"{server.url.replace('http', 'ws')}{request.path}"
        return response

    async def main() -> None:
        async with serve(lambda connection: connection.close(), "127.0.0.1", 0, process_request=redirect) as other:
            voice = ElevenLabsVoice(KEY, f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}")
            with pytest.raises(SpeechError, match="HTTP 307"):
                await said(voice)
            await voice.aclose()

    asyncio.run(main())
    assert server.received == []


def test_breaking_off_closes_the_socket_without_waiting(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        server.fault = Fault.STALL_MIDWAY
        async with aclosing(voice.speak(LONG, language="en", voice=Voice())) as chunks:
            await anext(chunks)
            began = time.monotonic()
        assert time.monotonic() - began < 0.5
        await until(server.received[0].closed.is_set)

    with_voice(server.url, scenario)


def test_a_cancelled_task_closes_its_sockets(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        server.fault = Fault.STALL
        speaking = asyncio.create_task(said(voice))
        await until(lambda: server.received and len(server.received[0].messages) > 1)
        speaking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await speaking
        await until(server.received[0].closed.is_set)

    with_voice(server.url, scenario)


def test_neither_key_nor_text_is_logged(server: FakeElevenLabs, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)

    with caplog.at_level("DEBUG"):
        with_voice(server.url, scenario)
    ours = [
        record.getMessage() for record in caplog.records if record.name.startswith(("deployments", "websockets.client"))
    ]
    assert not any(KEY in message or "good morning" in message for message in ours)


def test_configuration() -> None:
    with pytest.raises(ConfigurationError, match="ELEVENLABS_API_KEY"):
        ElevenLabsVoice.from_environment({"ELEVENLABS_API_KEY": ""})
    with pytest.raises(ConfigurationError, match="ELEVENLABS_BASE_URL"):
        ElevenLabsVoice.from_environment({"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": "api.elevenlabs.io"})
    assert ElevenLabsVoice.from_environment({"ELEVENLABS_API_KEY": KEY}).describe() == "ElevenLabs eleven_flash_v2_5"
