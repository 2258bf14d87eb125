"""What no honest client sends: that conversation gets an error and a close code, and every other one goes on."""

import asyncio
import base64
import json
import urllib.request
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.acceptance.server import API_KEY, Server

BAD_FRAMES = {
    "no JSON": "hello",
    "cut off": '{"user_audio_chunk": "AAAA',
    "an array": "[1, 2]",
    "no type": "{}",
    "audio of the wrong type": '{"user_audio_chunk": 7}',
    "bad base64": '{"user_audio_chunk": "!!!!"}',
    "half a sample": json.dumps({"user_audio_chunk": base64.b64encode(b"abc").decode()}),
    "a field of the wrong type": '{"type": "user_message", "text": ["x"]}',
    "oversize": json.dumps({"type": "user_message", "text": "x" * 1_100_000}),
    "binary": b"\x00\x01\x02",
}


@asynccontextmanager
async def conversation(server: Server, agent_id: str = "default", **options: Any):
    url = f"{server.ws_url}/v1/convai/conversation?agent_id={agent_id}"
    async with connect(url, subprotocols=["convai"], **options) as ws:  # type: ignore[list-item]
        yield ws


async def opened(ws: ClientConnection) -> dict[str, Any]:
    await ws.send('{"type": "conversation_initiation_client_data"}')
    return json.loads(await ws.recv())


async def until(ws: ClientConnection, kind: str) -> dict[str, Any]:
    while (message := json.loads(await ws.recv()))["type"] != kind:
        pass
    return message


async def ended(ws: ClientConnection) -> tuple[list[dict[str, Any]], ConnectionClosed]:
    """All that still comes, and the close."""
    messages = []
    while True:
        try:
            messages.append(json.loads(await ws.recv()))
        except ConnectionClosed as closed:
            return messages, closed


def conversations_open(server: Server) -> int:
    with urllib.request.urlopen(f"{server.url}/healthz") as response:
        return json.load(response)["conversations"]


async def all_gone(server: Server) -> None:
    async with asyncio.timeout(10):
        while await asyncio.to_thread(conversations_open, server):  # each look takes a round trip
            pass


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_bad_frame_ends_its_conversation_with_a_reason(server: Server, frame: str | bytes) -> None:
    async def scenario() -> None:
        async with conversation(server) as ws:
            metadata = await opened(ws)
            assert metadata["type"] == "conversation_initiation_metadata"
            await ws.send(frame)
            messages, closed = await ended(ws)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1008
        assert closed.rcvd.reason
        error = messages[-1]
        assert error["type"] == "error"
        assert error["error_event"]["code"] == 1008
        assert error["error_event"]["error_type"] == "invalid_message"
        assert error["error_event"]["message"].startswith(closed.rcvd.reason)

    asyncio.run(scenario())


def test_the_others_go_on(server: Server) -> None:
    """One conversation talks by text while twenty others misbehave or vanish in mid-air."""

    async def vandal(number: int) -> None:
        frame = list(BAD_FRAMES.values())[number % len(BAD_FRAMES)]
        async with conversation(server) as ws:
            await opened(ws)
            if number % 2:
                ws.transport.abort()
            else:
                await ws.send(frame)
                await ended(ws)

    async def scenario() -> None:
        async with conversation(server) as ws:
            await opened(ws)
            async with asyncio.TaskGroup() as vandals:
                for number in range(20):
                    vandals.create_task(vandal(number))
                await ws.send('{"type": "user_message", "text": "bom dia"}')
                transcript = await until(ws, "user_transcript")
                answer = await until(ws, "agent_response")
                audio = await until(ws, "audio")
            await ws.send('{"type": "user_message", "text": "boa noite"}')
            second = await until(ws, "user_transcript")
        assert transcript["user_transcription_event"]["user_transcript"] == "bom dia"
        assert answer["agent_response_event"]["agent_response"]
        assert audio["audio_event"]["audio_base_64"]
        assert second["user_transcription_event"]["user_transcript"] == "boa noite"
        await all_gone(server)

    asyncio.run(scenario())


@pytest.mark.parametrize(("agent_id", "reason"), [("", "agent_id"), ("nobody", "configs/agents")])
def test_an_unknown_agent_is_refused_after_the_handshake(server: Server, agent_id: str, reason: str) -> None:
    """Before metadata nothing but the close may come: the JavaScript client would hang."""

    async def scenario() -> None:
        async with conversation(server, agent_id) as ws:
            assert ws.subprotocol == "convai"
            messages, closed = await ended(ws)
        assert messages == []
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1008
        assert reason in closed.rcvd.reason

    asyncio.run(scenario())


def test_audio_before_the_opening_message_starts_the_defaults(server: Server) -> None:
    async def scenario() -> None:
        async with conversation(server) as ws:
            await ws.send(json.dumps({"user_audio_chunk": base64.b64encode(bytes(640)).decode()}))
            first = json.loads(await ws.recv())
        assert first["type"] == "conversation_initiation_metadata"

    asyncio.run(scenario())


def test_pages_and_probes(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/") as page:
        assert "/web/" in page.read().decode()
    with urllib.request.urlopen(f"{server.url}/readyz") as ready:
        parts = json.load(ready)
    assert parts["status"] == "ready"
    assert set(parts) >= {"stt", "llm", "voice", "judge", "store"}
    assert parts["store"].startswith("PostgreSQL 1")
    unknown = urllib.request.Request(f"{server.url}/v1/convai/conversations/conv_none", headers={"xi-api-key": API_KEY})
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(unknown)
    assert missing.value.code == 404
    assert json.load(missing.value)["detail"]["status"] == "conversation_not_found"
