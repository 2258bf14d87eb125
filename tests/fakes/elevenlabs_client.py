"""A client of the fake of ElevenLabs that says what it is told to, and hears everything."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.fakes.elevenlabs_server import MULTI, SINGLE, FakeElevenLabs

INIT = {"text": " ", "voice_settings": {"stability": 0.5}}
END = {"text": ""}
KEY = {"xi-api-key": "secret"}
PCM = "output_format=pcm_16000"


def url(server: FakeElevenLabs, way: str, query: str) -> str:
    return f"{server.url.replace('http', 'ws')}/v1/text-to-speech/anyone/{way}?{query}"


def converse(server: FakeElevenLabs, *messages: dict[str, Any], way: str = SINGLE, query: str = PCM) -> list[Any]:
    """Send messages, return every answer up to the close; its code, unless it is 1000, comes last."""

    async def run() -> list[Any]:
        answers: list[Any] = []
        async with connect(url(server, way, query), additional_headers=KEY) as socket:
            try:
                await send(socket, messages)
                while True:
                    answers.append(json.loads(await socket.recv()))
            except ConnectionClosed as e:
                code = e.rcvd.code if e.rcvd else 1006
        return answers if code == 1000 else [*answers, code]

    return asyncio.run(run())


async def send(socket: ClientConnection, messages: Iterable[dict[str, Any]]) -> None:
    try:
        for message in messages:
            await socket.send(json.dumps(message))
    except ConnectionClosed:
        pass  # what came before that is to be read


def several(server: FakeElevenLabs, *messages: dict[str, Any], query: str = PCM) -> list[Any]:
    return converse(server, *messages, way=MULTI, query=query)


def post(server: FakeElevenLabs, text: str = "good morning", audio_format: str = "pcm_16000") -> httpx.Response:
    address = f"{server.url}/v1/text-to-speech/anyone/stream/with-timestamps"
    return httpx.post(address, params={"output_format": audio_format}, headers=KEY, json={"text": text}, timeout=5)


def sound(answers: list[Any]) -> bytes:
    return b"".join(base64.b64decode(answer["audio"]) for answer in answers if answer.get("audio"))


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def said_in(id: str, text: str) -> list[dict[str, Any]]:
    return [
        INIT | {"context_id": id},
        {"text": text, "context_id": id, "flush": True},
        {"context_id": id, "close_context": True},
    ]
