"""Groq on a loopback port: transcriptions and chat as the service sends them, and its faults on demand.

Chat also answers at `/v1`, where OpenAI-compatible servers keep it.
"""

import asyncio
import json
import logging
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from enum import Enum, auto
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.fakes.groq_wire import (
    Answer,
    Call,
    Json,
    chat_chunks,
    chat_completion,
    error,
    form,
    mistake,
    pcm,
    verbose_json,
)
from tests.fakes.held_port import HeldPort

__all__ = ["Answer", "Behaviour", "Call", "FakeGroq", "Fault", "Received"]


def _is_news(record: logging.LogRecord) -> bool:
    """Not what a fault makes uvicorn complain of: a body that is not ended, a request that is never answered; nor that
    a client has left before its request was whole."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, ConnectionAbortedError | asyncio.CancelledError | ClientDisconnect)


logging.getLogger("uvicorn.error").addFilter(_is_news)


class Fault(Enum):
    """What the next requests meet, until it is taken back."""

    BAD_KEY = auto()  # 401
    RATE_LIMIT = auto()  # 429 with retry-after
    SERVER_ERROR = auto()  # 500
    STALL = auto()  # not a byte
    STALL_MIDWAY = auto()  # headers and half of the body, then nothing
    MALFORMED = auto()  # 200 whose body is not JSON
    EARLY_CLOSE = auto()  # headers and half of the body, then the connection closes
    RESET = auto()  # headers and half of the body, then TCP's RST
    HALF_OPEN = auto()  # the connection stays, and nothing is read from it or written to it any more


class Behaviour(msgspec.Struct, frozen=True):
    """How requests are answered: with this fault, or any fault in `error_rate` (0..1) of them; after `delay_s` and up
    to `jitter_s` more."""

    fault: Fault | None = None
    error_rate: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0


class Received(msgspec.Struct, frozen=True):
    """One request as it came in. `fields` is the chat request's JSON, or the form without its file.

    Requests over one connection have the same `client_port`. Names of `headers` are in lower case.
    """

    client_port: int
    path: str
    headers: dict[str, str]
    fields: Json

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    @property
    def model(self) -> str:
        return str(self.fields["model"])

    @property
    def tools(self) -> list[Json]:
        """The functions that the chat may call."""
        return [tool["function"] for tool in self.fields.get("tools", ())]


class FakeGroq:
    """A context manager that serves while it is open; `url` is what GROQ_BASE_URL takes, `chat_url` LLM_BASE_URL.

    `hear` makes the transcript from the utterance (s16le, 16 kHz, mono), `answer` the reply from the chat's messages;
    the tools that it may call are in `received[-1].tools`. `transcription` and `chunks` override: keys of the
    verbose_json, and all chunks of a chat's stream.

    `fault` is everybody's. `behaviours` are for "stt", for "chat", or for a model by its name, which goes first; what
    is left to chance comes out the same for the same `seed`.
    """

    def __init__(
        self,
        hear: Callable[[bytes], str] = lambda pcm: "hello",
        answer: Callable[[list[Json]], Answer] = lambda messages: f"You said {messages[-1]['content']}",
        *,
        seed: int = 0,
    ) -> None:
        self.hear = hear
        self.answer = answer
        self.transcription: Json = {}
        self.chunks: list[Any] | None = None
        self.fault: Fault | None = None
        self.behaviours: Mapping[str, Behaviour] = {}
        self.received: list[Received] = []
        self.stalling = threading.Event()  # a request has come to a stall
        self.disconnected = threading.Event()  # its client has left
        self._chance = random.Random(seed)
        self._connections: dict[int, asyncio.Transport] = {}  # by the client's port
        self._port = HeldPort()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port.number}"

    @property
    def chat_url(self) -> str:
        return f"{self.url}/openai/v1"

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self._connections)

    def reset(self) -> None:
        """Forget what was received, and have no fault any more."""
        self.fault, self.chunks, self.transcription, self.behaviours = None, None, {}, {}
        self.received.clear()
        self.stalling.clear()
        self.disconnected.clear()

    def __enter__(self) -> "FakeGroq":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._port.close()

    def start(self) -> None:
        """Serve at the port, the same one each time: who connects at once waits in the socket's backlog."""
        self._socket = self._port.listen()
        config = uvicorn.Config(
            self._app(), http=self._protocol(), log_config=None, ws="none", lifespan="off", timeout_keep_alive=75
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Like a process that dies: its connections break, and new ones are refused, until it starts again."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._socket.close()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/openai/v1/audio/transcriptions", self._transcriptions, methods=["POST"]),
                Route("/openai/v1/chat/completions", self._completions, methods=["POST"]),
                Route("/v1/chat/completions", self._completions, methods=["POST"]),
            ]
        )

    def _protocol(self) -> type[H11Protocol]:
        connections = self._connections

        class Protocol(H11Protocol):
            """uvicorn's, and tells which connections there are."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self._port = transport.get_extra_info("peername")[1]
                connections[self._port] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(self._port, None)
                super().connection_lost(exc)

        return Protocol

    async def _transcriptions(self, request: Request) -> Response:
        fields, audio = await form(request)
        fault = await self._received(request, fields, "stt")
        if refusal := await self._refusal(request, fault):
            return refusal
        samples = pcm(audio)
        if "model" not in fields or fields.get("response_format") != "verbose_json" or not samples:
            return error(400, "model, response_format=verbose_json and a WAV file with speech", "bad_request")
        text = await run_in_threadpool(self.hear, samples)
        heard = verbose_json(text, len(samples) / 32_000, fields.get("language", "en")) | self.transcription
        body = self._paced(request, fault, [json.dumps(heard)])
        return StreamingResponse(body, headers=self._request_id(), media_type="application/json")

    async def _completions(self, request: Request) -> Response:
        fields = await request.json()
        fault = await self._received(request, fields, "chat")
        if refusal := await self._refusal(request, fault):
            return refusal
        if not fields.get("messages"):
            return error(400, "'messages': minimum number of items is 1", "invalid_request_error")
        if wrong := mistake(fields):
            return error(400, wrong, "invalid_request_error", kind="invalid_request_error")
        if not fields.get("stream"):
            return self._unstreamed(request, fault, fields)
        chunks = self.chunks
        if chunks is None:
            chunks = chat_chunks(fields["model"], self.answer(fields["messages"]))
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        body = self._paced(request, fault, [*events, "data: [DONE]\n\n"])
        return StreamingResponse(body, headers=self._request_id(), media_type="text/event-stream")

    def _unstreamed(self, request: Request, fault: Fault | None, fields: Json) -> Response:
        """`answer` is words alone."""
        answer = self.answer(fields["messages"])
        assert isinstance(answer, str)
        body = self._paced(request, fault, [json.dumps(chat_completion(fields["model"], answer))])
        return StreamingResponse(body, headers=self._request_id(), media_type="application/json")

    def _request_id(self) -> dict[str, str]:
        """Counted, where Groq's are random."""
        return {"x-request-id": f"req_{len(self.received)}"}

    async def _received(self, request: Request, fields: Json, route: str) -> Fault | None:
        """Note the request, take the time that it is to take; the fault that it meets."""
        self.received.append(Received(_client_port(request), request.url.path, dict(request.headers), fields))
        behaviour = self.behaviours.get(fields.get("model", "")) or self.behaviours.get(route) or Behaviour()
        by_chance = self._chance.choice(list(Fault)) if self._chance.random() < behaviour.error_rate else None
        fault = self.fault or behaviour.fault or by_chance
        await asyncio.sleep(behaviour.delay_s + behaviour.jitter_s * self._chance.random())
        return fault

    async def _refusal(self, request: Request, fault: Fault | None) -> Response | None:
        """The answer to a request that never reaches the model; None when it does."""
        if fault is Fault.HALF_OPEN:
            self._connections[_client_port(request)].pause_reading()  # so it is not noticed either when the client goes
            self.stalling.set()
            await asyncio.Event().wait()
        if fault is Fault.STALL:
            await self._until_disconnect(request)
            return Response(status_code=499)
        if fault is Fault.BAD_KEY or not request.headers.get("authorization", "").removeprefix("Bearer "):
            return error(401, "Invalid API Key", "invalid_api_key", kind="invalid_request_error")
        if fault is Fault.RATE_LIMIT:
            return error(429, "Rate limit reached", "rate_limit_exceeded", kind="requests", retry_after=7)
        if fault is Fault.SERVER_ERROR:
            return error(500, "Internal Server Error", "internal_server_error")
        return None

    async def _paced(self, request: Request, fault: Fault | None, parts: list[str]) -> AsyncIterator[str]:
        """The body's parts; what a fault leaves of them."""
        if fault is Fault.MALFORMED:
            yield "data: {not json\n\n"
            return
        if fault not in (Fault.STALL_MIDWAY, Fault.EARLY_CLOSE, Fault.RESET):
            for part in parts:
                yield part
            return
        body = "".join(parts)
        yield body[: len(body) // 2]
        if fault is Fault.STALL_MIDWAY:
            await self._until_disconnect(request)
        connection = self._connections.get(_client_port(request))  # None: the client is gone already
        if fault is Fault.RESET and connection:
            _reset(connection)
        raise ConnectionAbortedError  # the server closes the connection without the end of the body

    async def _until_disconnect(self, request: Request) -> None:
        self.stalling.set()
        try:
            while (await request.receive())["type"] != "http.disconnect":
                pass
        finally:  # a streaming response notices too, and cancels its body
            self.disconnected.set()


def _client_port(request: Request) -> int:
    _, port = request.client or ("", 0)
    return port


def _reset(connection: asyncio.Transport) -> None:
    """Without lingering, a close is a RST: what the client has not read yet is lost too."""
    connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.abort()
