"""Groq's requests and answers as they stand on the wire: forms, transcriptions, chunks of chat, errors."""

import io
import json
import re
import wave
from collections.abc import Sequence
from email import message_from_bytes, policy
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

LANGUAGE_NAMES = {"en": "English", "pt": "Portuguese"}
FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Json = dict[str, Any]


class Call(msgspec.Struct, frozen=True):
    """A tool call in a scripted answer: in one chunk, as Groq sends most, or cut into `chunks` of them."""

    name: str
    arguments: Json = {}
    chunks: int = 1
    id: str = msgspec.field(default_factory=lambda: f"call_{uuid4().hex[:24]}")


Answer = str | Sequence[str | Call]


async def form(request: Request) -> tuple[Json, bytes]:
    """The fields of a multipart form, and the content of its `file`."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = message_from_bytes(head + await request.body(), policy=policy.HTTP)
    parts = {part["content-disposition"].params["name"]: part.get_content() for part in form.iter_parts()}
    audio = parts.pop("file", b"")
    return parts, audio


def pcm(audio: bytes) -> bytes:
    """The samples of a WAV file in the format that the real service would not have to convert; b"" for any other."""
    try:
        with wave.open(io.BytesIO(audio)) as wav:
            accepted = (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 16_000)
            return wav.readframes(wav.getnframes()) if accepted else b""
    except (wave.Error, EOFError):
        return b""


def verbose_json(text: str, duration_s: float, language: str) -> Json:
    """A transcription; `language` is ISO 639-1."""
    segment = {"id": 0, "seek": 0, "start": 0, "end": duration_s, "text": f" {text}", "tokens": [50365]}
    doubts = {"temperature": 0, "avg_logprob": -0.29, "compression_ratio": 0.8, "no_speech_prob": 0}
    return {
        "task": "transcribe",
        "language": LANGUAGE_NAMES[language],
        "duration": duration_s,
        "text": f" {text}",
        "segments": [segment | doubts],
        "x_groq": {"id": "req_fake"},
    }


def mistake(fields: Json) -> str | None:
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


def chat_chunks(model: str, answer: Answer) -> list[Json]:
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


def chat_completion(model: str, answer: str) -> Json:
    """An answer that is not streamed, as Groq's classifiers give theirs."""
    message = {"role": "assistant", "content": answer}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, "queue_time": 0.01}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = {"id": "chatcmpl-fake", "object": "chat.completion", "created": 0, "model": model, "choices": [choice]}
    return body | {"usage": usage, "x_groq": {"id": "req_fake"}}


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


def error(
    status: int, message: str, code: str, *, kind: str | None = None, retry_after: int | None = None
) -> JSONResponse:
    body = {"error": {"message": message, "type": kind or HTTPStatus(status).name.lower(), "code": code}}
    return JSONResponse(body, status, headers={"retry-after": str(retry_after)} if retry_after else None)
