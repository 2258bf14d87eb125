"""Groq on a loopback port: transcriptions and streaming chat as the service sends them, and its faults on demand.

Chat also answers at `/v1`, where OpenAI-compatible servers keep it.
"""

import io
import json
import re
import socket
import threading
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from email import message_from_bytes, policy
from enum import Enum, auto
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

LANGUAGE_NAMES = {"en": "English", "pt": "Portuguese"}
FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Json = dict[str, Any]


class Fault(Enum):
    """What the next requests meet, until `fault` is None again."""

    BAD_KEY = auto()  # 401
    RATE_LIMIT = auto()  # 429 with retry-after
    SERVER_ERROR = auto()  # 500
    STALL = auto()  # not a byte
    STALL_MIDWAY = auto()  # headers and half of the body, then nothing
    MALFORMED = auto()  # 200 whose body is not JSON
    EARLY_CLOSE = auto()  # headers and half of the body, then the connection closes


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


class Call(msgspec.Struct, frozen=True):
    """A tool call in a scripted answer: in one chunk, as Groq sends most, or cut into `chunks` of them."""

    name: str
    arguments: Json = {}
    chunks: int = 1
    id: str = msgspec.field(default_factory=lambda: f"call_{uuid4().hex[:24]}")


Answer = str | Sequence[str | Call]


class FakeGroq:
    """A context manager that serves while it is open; `url` is what GROQ_BASE_URL takes, `chat_url` LLM_BASE_URL.

    `hear` makes the transcript from the utterance (s16le, 16 kHz, mono), `answer` the reply from the chat's messages;
    the tools that it may call are in `received[-1].tools`. `transcription` and `chunks` override: keys of the
    verbose_json, and all chunks of a chat's stream.
    """

    def __init__(
        self,
        hear: Callable[[bytes], str] = lambda pcm: "hello",
        answer: Callable[[list[Json]], Answer] = lambda messages: f"You said {messages[-1]['content']}",
    ) -> None:
        self.hear = hear
        self.answer = answer
        self.transcription: Json = {}
        self.chunks: list[Any] | None = None
        self.fault: Fault | None = None
        self.received: list[Received] = []
        self.stalling = threading.Event()  # a request has come to a stall
        self.disconnected = threading.Event()  # its client has left
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.chat_url = f"{self.url}/openai/v1"
        self._server = uvicorn.Server(
            uvicorn.Config(self._app(), log_config=None, ws="none", lifespan="off", timeout_keep_alive=75)
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def reset(self) -> None:
        """Forget what was received, and have no fault any more."""
        self.fault, self.chunks, self.transcription = None, None, {}
        self.received.clear()
        self.stalling.clear()
        self.disconnected.clear()

    def __enter__(self) -> "FakeGroq":
        self._thread.start()  # the socket listens already: who connects before the server runs waits in its backlog
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.should_exit = True
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

    async def _transcriptions(self, request: Request) -> Response:
        fields, audio = await _form(request)
        self._note(request, fields)
        if refusal := await self._refusal(request):
            return refusal
        pcm = _pcm(audio)
        if "model" not in fields or fields.get("response_format") != "verbose_json" or not pcm:
            return _error(400, "model, response_format=verbose_json and a WAV file with speech", "bad_request")
        text = await run_in_threadpool(self.hear, pcm)
        body = json.dumps(self._verbose_json(text, len(pcm) / 32_000, fields.get("language", "en")))
        return StreamingResponse(self._paced(request, [body]), media_type="application/json")

    async def _completions(self, request: Request) -> Response:
        fields = await request.json()
        self._note(request, fields)
        if refusal := await self._refusal(request):
            return refusal
        if not fields.get("stream") or not fields.get("messages"):
            return _error(400, "this server only streams: stream=true and messages are required", "bad_request")
        if mistake := _mistake(fields):
            return _error(400, mistake, "invalid_request_error", kind="invalid_request_error")
        chunks = self.chunks
        if chunks is None:
            chunks = _chat_chunks(fields["model"], self.answer(fields["messages"]))
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        return StreamingResponse(self._paced(request, [*events, "data: [DONE]\n\n"]), media_type="text/event-stream")

    def _note(self, request: Request, fields: Json) -> None:
        _, port = request.client or ("", 0)
        self.received.append(Received(port, request.url.path, dict(request.headers), fields))

    async def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that never reaches the model; None when it does."""
        if self.fault is Fault.STALL:
            await self._until_disconnect(request)
            return Response(status_code=499)
        if self.fault is Fault.BAD_KEY or not request.headers.get("authorization", "").removeprefix("Bearer "):
            return _error(401, "Invalid API Key", "invalid_api_key", kind="invalid_request_error")
        if self.fault is Fault.RATE_LIMIT:
            return _error(429, "Rate limit reached", "rate_limit_exceeded", kind="requests", retry_after=7)
        if self.fault is Fault.SERVER_ERROR:
            return _error(500, "Internal Server Error", "internal_server_error")
        return None

    async def _paced(self, request: Request, parts: list[str]) -> AsyncIterator[str]:
        """The body's parts; what a fault leaves of them."""
        if self.fault is Fault.MALFORMED:
            yield "data: {not json\n\n"
            return
        if self.fault not in (Fault.STALL_MIDWAY, Fault.EARLY_CLOSE):
            for part in parts:
                yield part
            return
        body = "".join(parts)
        yield body[: len(body) // 2]
        if self.fault is Fault.STALL_MIDWAY:
            await self._until_disconnect(request)
        raise ConnectionAbortedError  # the server closes the connection without the end of the body

    async def _until_disconnect(self, request: Request) -> None:
        self.stalling.set()
        try:
            while (await request.receive())["type"] != "http.disconnect":
                pass
        finally:  # a streaming response notices too, and cancels its body
            self.disconnected.set()

    def _verbose_json(self, text: str, duration_s: float, language: str) -> Json:
        segment = {"id": 0, "seek": 0, "start": 0, "end": duration_s, "text": f" {text}", "tokens": [50365]}
        doubts = {"temperature": 0, "avg_logprob": -0.29, "compression_ratio": 0.8, "no_speech_prob": 0}
        return {
            "task": "transcribe",
            "language": LANGUAGE_NAMES[language],
            "duration": duration_s,
            "text": f" {text}",
            "segments": [segment | doubts],
            "x_groq": {"id": "req_fake"},
        } | self.transcription


async def _form(request: Request) -> tuple[Json, bytes]:
    """The fields of a multipart form, and the content of its `file`."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = message_from_bytes(head + await request.body(), policy=policy.HTTP)
    parts = {part["content-disposition"].params["name"]: part.get_content() for part in form.iter_parts()}
    audio = parts.pop("file", b"")
    return parts, audio


def _pcm(audio: bytes) -> bytes:
    """The samples of a WAV file in the format that the real service would not have to convert; b"" for any other."""
    try:
        with wave.open(io.BytesIO(audio)) as wav:
            accepted = (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 16_000)
            return wav.readframes(wav.getnframes()) if accepted else b""
    except (wave.Error, EOFError):
        return b""


def _mistake(fields: Json) -> str | None:
    """What the service refuses in a chat request with tools."""
    messages = fields["messages"]
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    functions = [tool["function"] for tool in [*fields.get("tools", ()), *calls]]
    if not all(FUNCTION_NAME.fullmatch(function["name"]) for function in functions):
        return f"a function's name must match {FUNCTION_NAME.pattern}"
    if not all(isinstance(message.get("content"), str) for message in messages):
        return "'content': value must be a string"
    return _mispairing(messages)


def _mispairing(messages: list[Json]) -> str | None:
    """Each call's result stands once, right behind the message that asks for it."""
    open_calls: list[str] = []
    for number, message in enumerate([*messages, {"role": "end"}]):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in open_calls:
                return f"'messages.{number}': role 'tool' must respond to a preceding message with 'tool_calls'"
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return f"'messages.{number}': 'tool_calls' must be followed by a message for each 'tool_call_id'"
        open_calls = [call["id"] for call in message.get("tool_calls", ())]
    return None


def _chat_chunks(model: str, answer: Answer) -> list[Json]:
    """A stream as Groq's reasoning models send it: a role, a thought, the answer, the end, and the usage alone."""
    pieces = [answer] if isinstance(answer, str) else answer
    calls = [piece for piece in pieces if isinstance(piece, Call)]
    said = [delta for piece in pieces for delta in _deltas(piece, calls)]
    deltas: list[Json] = [{"role": "assistant", "content": ""}, {"reasoning": "They want an answer."}, *said]
    chunks = [_chunk(model, [_choice(delta)]) for delta in deltas]
    chunks[0]["x_groq"] = {"id": "req_fake"}
    usage = {"prompt_tokens": 9, "completion_tokens": len(said), "total_tokens": 9 + len(said), "queue_time": 0.01}
    end = _chunk(model, [_choice({}, finish_reason="tool_calls" if calls else "stop")])
    end["x_groq"] = {"id": "req_fake", "usage": usage}
    return [*chunks, end, _chunk(model, []) | {"usage": usage}]


def _deltas(piece: str | Call, calls: list[Call]) -> list[Json]:
    if isinstance(piece, str):
        return [{"content": word} for word in piece.replace(" ", "\0 ").split("\0")]
    index, written = calls.index(piece), json.dumps(piece.arguments)
    size = -(-len(written) // piece.chunks)
    cuts = [written[start : start + size] for start in range(0, len(written), size)]
    parts: list[Json] = [{"index": index, "function": {"arguments": cut}} for cut in cuts]
    parts[0] |= {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": cuts[0]}}
    return [{"tool_calls": [part]} for part in parts]


def _chunk(model: str, choices: list[Json]) -> Json:
    return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": choices}


def _choice(delta: Json, finish_reason: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _error(
    status: int, message: str, code: str, *, kind: str | None = None, retry_after: int | None = None
) -> JSONResponse:
    body = {"error": {"message": message, "type": kind or HTTPStatus(status).name.lower(), "code": code}}
    return JSONResponse(body, status, headers={"retry-after": str(retry_after)} if retry_after else None)
