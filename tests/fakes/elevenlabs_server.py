"""ElevenLabs' `stream-input` on a loopback port: real speech with its alignment, and the service's faults on demand."""

import asyncio
import base64
import json
import socket
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from deployments.espeak import EspeakVoice
from serve_app.ports import Alignment, SpeechChunk, Voice


class Fault(Enum):
    """What the next handshakes and clauses meet, until `fault` is None again."""

    BAD_KEY = auto()  # HTTP 401
    FORBIDDEN = auto()  # HTTP 403
    RATE_LIMIT = auto()  # HTTP 429
    ERROR = auto()  # an error message and close 1008 instead of audio
    IDLE = auto()  # the inactivity timeout is over at once: an error message and close 1008
    STALL = auto()  # no audio
    STALL_MIDWAY = auto()  # one piece of audio, then nothing
    EARLY_CLOSE = auto()  # one piece of audio, then close 1000 without isFinal
    NO_AUDIO = auto()  # isFinal at once
    MALFORMED = auto()  # not JSON


_REFUSALS = {
    Fault.BAD_KEY: (HTTPStatus.UNAUTHORIZED, "invalid_api_key"),
    Fault.FORBIDDEN: (HTTPStatus.FORBIDDEN, "missing_permissions"),
    Fault.RATE_LIMIT: (HTTPStatus.TOO_MANY_REQUESTS, "too_many_concurrent_requests"),
}


class Received(msgspec.Struct):
    """One connection as it came in. `messages` grows, and `sent`, the audio of the answers; `closed` is set when the
    client or the server has closed it.
    """

    voice_id: str
    query: dict[str, str]
    api_key: str
    messages: list[dict[str, Any]]
    closed: threading.Event
    sent: bytearray

    @property
    def speed(self) -> float:
        return float(self.messages[0].get("voice_settings", {}).get("speed", 1.0))


class FakeElevenLabs:
    """A context manager that serves while it is open; `url` is what ELEVENLABS_BASE_URL takes.

    It speaks with espeak-ng, in the language of `language_code`, at the speed of the `voice_settings`, in any pcm_* or
    ulaw_8000 format. `timing_keys` are the keys of starts and durations in an alignment: ElevenLabs' documentation and
    its servers differ in them.
    """

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.timing_keys = ("charStartTimesMs", "charDurationsMs")
        self.received: list[Received] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> "FakeElevenLabs":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop, self._voice = asyncio.get_running_loop(), asyncio.Event(), EspeakVoice()
        async with serve(self._converse, sock=self._socket, process_request=self._refuse, close_timeout=0.2):
            self._started.set()
            await self._stop.wait()
        await self._voice.aclose()

    def _refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        status, name = _REFUSALS.get(self.fault, (None, "")) if self.fault else (None, "")
        if not request.headers.get("xi-api-key"):
            status, name = _REFUSALS[Fault.BAD_KEY]
        if not urlsplit(request.path).path.endswith("/stream-input"):
            status, name = HTTPStatus.NOT_FOUND, "not_found"
        if status is None:
            return None
        return connection.respond(status, json.dumps({"detail": {"status": name, "message": "refused"}}))

    async def _converse(self, connection: ServerConnection) -> None:
        received = _received(cast(Request, connection.request))  # there is one after the handshake
        self.received.append(received)
        try:
            if await self._clause(connection, received):
                await connection.send(json.dumps({"audio": None, "isFinal": True}))
        except ConnectionClosed:
            pass  # the client has left
        finally:
            await connection.close()
            received.closed.set()

    async def _clause(self, connection: ServerConnection, received: Received) -> bool:
        """Read texts up to the empty one, speaking as the service does. False: it ended in a fault."""
        inactivity_s = 0 if self.fault is Fault.IDLE else float(received.query.get("inactivity_timeout", "20"))
        pending = ""
        while True:
            try:
                async with asyncio.timeout(inactivity_s):
                    message = json.loads(await connection.recv())
            except TimeoutError:
                return await _fail(connection, "input_timeout_exceeded", "no text for too long")
            if not received.messages and message["text"] != " ":
                return await _fail(connection, "invalid_message", "the first message must be a single space")
            received.messages.append(message)
            pending += message["text"] if len(received.messages) > 1 else ""
            at_once = message.get("flush") or received.query.get("auto_mode") == "true"
            if pending.strip() and (at_once or not message["text"]):
                if not await self._spoken(connection, received, pending):
                    return False
                pending = ""
            if not message["text"]:
                return True

    async def _spoken(self, connection: ServerConnection, received: Received, text: str) -> bool:
        """Send the audio of `text`. False: a fault came between."""
        match self.fault:
            case Fault.ERROR:
                return await _fail(connection, "quota_exceeded", f"no credits left to say {text}")
            case Fault.STALL:
                await connection.wait_closed()
            case Fault.NO_AUDIO:
                return True
            case Fault.MALFORMED:
                await connection.send("{not json")
                return False
        async with aclosing(self._chunks(received, text)) as chunks:
            async for chunk in chunks:
                await connection.send(json.dumps(self._audio_message(chunk)))
                received.sent += chunk.audio
                if self.fault is Fault.STALL_MIDWAY:
                    await connection.wait_closed()
                if self.fault is Fault.EARLY_CLOSE:
                    return False
        return True

    def _chunks(self, received: Received, text: str) -> AsyncGenerator[SpeechChunk, None]:
        audio_format = received.query["output_format"]
        voice = Voice(voice_id=received.voice_id, agent_output_audio_format=audio_format, speed=received.speed)
        return self._voice.speak(text, language=received.query.get("language_code", "en"), voice=voice)

    def _audio_message(self, chunk: SpeechChunk) -> dict[str, Any]:
        alignment = self._timing(chunk.alignment) if chunk.alignment and chunk.alignment.chars else None
        return {
            "audio": base64.b64encode(chunk.audio).decode(),
            "isFinal": None,
            "alignment": alignment,
            "normalizedAlignment": alignment,
        }

    def _timing(self, alignment: Alignment) -> dict[str, Any]:
        starts, durations = self.timing_keys
        return {"chars": alignment.chars, starts: alignment.starts_ms, durations: alignment.durations_ms}


def _received(request: Request) -> Received:
    address = urlsplit(request.path)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    return Received(
        address.path.split("/")[-2], query, request.headers["xi-api-key"], [], threading.Event(), bytearray()
    )


async def _fail(connection: ServerConnection, name: str, message: str) -> bool:
    await connection.send(json.dumps({"message": message, "error": name, "code": 1008}))
    await connection.close(1008, message)
    return False
