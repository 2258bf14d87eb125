"""What all three ways to ElevenLabs have in common, each of them alone."""

import asyncio
import http
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from deployments.voices.elevenlabs_generations import Generations
from deployments.voices.elevenlabs_http import HttpStream
from deployments.voices.elevenlabs_pool import ContextPool
from deployments.voices.elevenlabs_stream import SocketPerClause
from deployments.voices.elevenlabs_wire import Account, KeyRefused
from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat, level_db
from serve_app.errors import SpeechError
from tests.deployments.voices.elevenlabs_calls import (
    CLAUSE,
    KEY,
    account,
    aligned_text,
    all_of,
    audio,
    begun,
    opening,
    until,
    with_way,
)
from tests.fakes.elevenlabs_server import FakeElevenLabs, Fault

LONG = "This is a rather long sentence that nobody wants to hear to its end. " * 20

WAYS: list[Callable[[Account], Any]] = [
    lambda account: ContextPool(account, Generations(10)),
    SocketPerClause,
    HttpStream,
]
each_way = pytest.mark.parametrize("make", WAYS, ids=["multi-stream-input", "stream-input", "http"])


def test_the_address_of_a_socket(server: FakeElevenLabs) -> None:
    for way in (ContextPool(account(server.url), Generations(10)), SocketPerClause(account(server.url))):

        async def scenario(way: Any = way) -> None:
            await all_of(way.speak(CLAUSE, opening()))
            await all_of(way.speak(CLAUSE, opening(model_id="eleven_turbo_v2_5")))

        with_way(way, scenario)
        received = [one for one in server.received if one.way == way.name]
        assert (received[0].voice_id, received[0].api_key) == ("voice/1", KEY)
        assert received[0].query == {
            "model_id": "eleven_flash_v2_5",
            "output_format": "pcm_16000",
            "language_code": "en",
            "auto_mode": "true",
            "sync_alignment": "true",
            "inactivity_timeout": "180",
        }
        assert received[-1].query["model_id"] == "eleven_turbo_v2_5"


def test_stream_input_on_the_wire(server: FakeElevenLabs) -> None:
    way = SocketPerClause(account(server.url))

    async def scenario() -> None:
        await all_of(way.speak("good morning", opening(stability=0.3, similarity_boost=0.9, speed=1.2)))
        settings = {"stability": 0.3, "similarity_boost": 0.9, "speed": 1.2}
        assert server.received[0].messages == [
            {"text": " ", "voice_settings": settings},
            {"text": "good morning ", "flush": True},
            {"text": ""},
        ]

    with_way(way, scenario)
    assert server.received[0].closed.wait(5)


def test_http_on_the_wire(server: FakeElevenLabs) -> None:
    way = HttpStream(account(server.url))

    async def scenario() -> None:
        await all_of(way.speak(" good morning ", opening()))
        assert (server.received[0].voice_id, server.received[0].api_key) == ("voice/1", KEY)
        assert server.received[0].query == {"output_format": "pcm_16000"}
        settings = {"stability": 0.5, "similarity_boost": 0.8, "speed": 1.0}
        assert server.received[0].messages == [
            {"text": "good morning", "voice_settings": settings, "model_id": "eleven_flash_v2_5", "language_code": "en"}
        ]

    with_way(way, scenario)


@each_way
@pytest.mark.parametrize("audio_format", SUPPORTED_FORMATS, ids=lambda audio_format: audio_format.name)
def test_every_format_comes_as_asked_for_and_untouched(
    server: FakeElevenLabs, make: Callable[[Account], Any], audio_format: AudioFormat
) -> None:
    way = make(account(server.url))

    async def scenario() -> None:
        chunks = await all_of(way.speak(CLAUSE, opening(agent_output_audio_format=audio_format.name)))
        assert 0.7 < audio_format.seconds(len(audio(chunks))) < 1.1
        assert level_db(audio_format.decode(audio(chunks))) > -30
        assert audio(chunks) == server.contexts[0].sent

    with_way(way, scenario)


@each_way
def test_alignment_lies_within_its_own_audio(server: FakeElevenLabs, make: Callable[[Account], Any]) -> None:
    way = make(account(server.url))

    async def scenario() -> None:
        chunks = await all_of(way.speak("one two three four five", opening()))
        assert aligned_text(chunks).rstrip() == "one two three four five"
        assert sum(chunk.alignment is not None for chunk in chunks) > 1
        for chunk in chunks:
            if chunk.alignment:
                assert all(0 <= start <= len(chunk.audio) / 32 for start in chunk.alignment.starts_ms)
                assert all(duration >= 0 for duration in chunk.alignment.durations_ms)
                assert list(chunk.alignment.starts_ms) == sorted(chunk.alignment.starts_ms)

    with_way(way, scenario)


@each_way
def test_clauses_side_by_side_do_not_mix(server: FakeElevenLabs, make: Callable[[Account], Any]) -> None:
    way = make(account(server.url))
    texts = [f"this is clause number {number}" for number in range(10)]

    async def scenario() -> None:
        spoken = await asyncio.gather(*(all_of(way.speak(text, opening())) for text in texts))
        for text, chunks in zip(texts, spoken, strict=True):
            assert aligned_text(chunks).rstrip() == text
            [context] = [context for context in server.contexts if context.text.rstrip() == text]
            assert audio(chunks) == context.sent

    with_way(way, scenario)


@each_way
@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (Fault.BAD_KEY, KeyRefused("HTTP 401")),
        (Fault.FORBIDDEN, KeyRefused("HTTP 403")),
        (Fault.RATE_LIMIT, KeyRefused("HTTP 429")),
        (Fault.SERVER_ERROR, SpeechError("HTTP 500")),
        (Fault.REFUSED, SpeechError("cannot be reached: Connect")),
        (Fault.ERROR, SpeechError(r"quota_exceeded \(1008\)|HTTP 400")),
        (Fault.RESET, SpeechError("before the end|cannot be reached")),
        (Fault.EARLY_CLOSE, SpeechError("before the end")),
        (Fault.MALFORMED, SpeechError("not a message")),
    ],
)
def test_faults_are_told(
    server: FakeElevenLabs, make: Callable[[Account], Any], fault: Fault, failure: SpeechError
) -> None:
    server.fault = fault
    way = make(account(server.url))

    async def scenario() -> None:
        with pytest.raises(SpeechError, match=failure.message) as raised:
            await all_of(way.speak(CLAUSE, opening()))
        assert type(raised.value) is type(failure)
        assert not any(secret in repr(raised.value) for secret in (KEY, CLAUSE))

    with_way(way, scenario)


@each_way
def test_no_audio_is_an_end(server: FakeElevenLabs, make: Callable[[Account], Any]) -> None:
    server.fault = Fault.NO_AUDIO
    way = make(account(server.url))

    async def scenario() -> None:
        assert await all_of(way.speak(CLAUSE, opening())) == []

    with_way(way, scenario)


@each_way
def test_who_leaves_does_not_wait_and_leaves_nothing_open(
    server: FakeElevenLabs, make: Callable[[Account], Any]
) -> None:
    server.fault = Fault.STALL_MIDWAY
    way = make(account(server.url))

    async def scenario() -> None:
        speech = way.speak(LONG, opening())
        await anext(speech)
        began = time.monotonic()
        await speech.aclose()
        assert time.monotonic() - began < 0.5

    with_way(way, scenario)
    assert all(one.closed.wait(5) for one in server.received)


@each_way
def test_a_cancelled_task_leaves_nothing_open(server: FakeElevenLabs, make: Callable[[Account], Any]) -> None:
    server.fault = Fault.STALL
    way = make(account(server.url))

    async def scenario() -> None:
        speaking = asyncio.create_task(all_of(way.speak(CLAUSE, opening())))
        await until(lambda: server.contexts and server.contexts[0].closed)
        speaking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await speaking

    with_way(way, scenario)
    assert all(one.closed.wait(5) for one in server.received)


def test_http_connections_are_kept(server: FakeElevenLabs) -> None:
    way = HttpStream(account(server.url))

    async def scenario() -> None:
        for _ in range(3):
            await all_of(way.speak(CLAUSE, opening()))
        assert len(way._transport._pool.connections) == 1
        await begun(way.speak(LONG, opening()))
        assert len(way._transport._pool.connections) == 0  # what is still under way would be read first

    with_way(way, scenario)


@each_way
def test_the_key_does_not_follow_a_redirect(server: FakeElevenLabs, make: Callable[[Account], Any]) -> None:
    def redirect(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(http.HTTPStatus.TEMPORARY_REDIRECT, "")
        response.headers["Location"] = f"{server.url}{request.path}"
        return response

    async def redirect_post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n")).split()
        writer.write(b"HTTP/1.1 307 Temporary Redirect\r\ncontent-length: 0\r\n")
        writer.write(b"location: " + server.url.encode() + request[1] + b"\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        if make is HttpStream:
            other = await asyncio.start_server(redirect_post, "127.0.0.1", 0)
        else:
            other = await serve(lambda connection: connection.close(), "127.0.0.1", 0, process_request=redirect)
        async with other:
            [listening] = other.sockets
            way = make(account(f"http://127.0.0.1:{listening.getsockname()[1]}"))
            with pytest.raises(SpeechError, match="HTTP 307"):
                await all_of(way.speak(CLAUSE, opening()))
            await way.aclose()

    asyncio.run(main())
    assert server.received == []
