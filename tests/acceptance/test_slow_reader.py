"""A client that stops reading in the middle of an answer, and then reads on.

The buffers between it and the gateway, the kernel's above all, hold megabytes, which is minutes of a voice: nothing is
lost here. What is lost when they are full is in tests/test_outbox.py.
"""

import asyncio
import base64
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.acceptance.server import Server

Message = dict[str, Any]

SMALL_BUFFER = 4096  # bytes, of the kernel's for this client
STOPS_FOR_S = 4.0
BYTES_PER_S = 32_000
WITHIN_S = 30.0
EVENTS = ["user_transcript", "agent_chat_response_part", "agent_response", "audio", "agent_response_complete"]
OPENING = {
    "type": "conversation_initiation_client_data",
    "conversation_config_override": {
        "agent": {"first_message": ""},
        "conversation": {"client_events": EVENTS},
    },
}


class Reader:
    """`messages`: what it has read."""

    def __init__(self, ws: ClientConnection) -> None:
        self.messages: list[Message] = []
        self._ws = ws

    async def say(self, text: str) -> None:
        await self._ws.send(json.dumps({"type": "user_message", "text": text}))

    async def until(self, kind: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            while True:
                self.messages.append(json.loads(await self._ws.recv()))
                if self.messages[-1]["type"] == kind:
                    return

    async def stop_for(self, seconds: float) -> None:
        self._ws.transport.pause_reading()
        await asyncio.sleep(seconds)
        self._ws.transport.resume_reading()

    def fields(self, kind: str) -> list[Message]:
        return [message[f"{kind}_event"] for message in self.messages if message["type"] == kind]

    def heard_s(self) -> float:
        return sum(len(base64.b64decode(fields["audio_base_64"])) for fields in self.fields("audio")) / BYTES_PER_S

    def told(self) -> list[tuple[str, str]]:
        """Type and text of every event but sound, and pings, which come when they come."""
        return [told(message) for message in self.messages if message["type"] not in ("audio", "ping")]


def told(message: Message) -> tuple[str, str]:
    fields = next(value for key, value in message.items() if key != "type")
    texts = (fields.get(name) for name in ("user_transcript", "agent_response", "text"))
    return message["type"], next((text for text in texts if text), "")


async def two_answers(server: Server, stops_for_s: float) -> Reader:
    """The client stops reading in the middle of the first."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        line.setblocking(False)
        address = urlsplit(server.ws_url)
        await asyncio.get_running_loop().sock_connect(line, (address.hostname, address.port))
        url = f"{server.ws_url}/v1/convai/conversation?agent_id=default"
        async with connect(url, sock=line, compression=None, max_queue=None) as ws:
            reader = Reader(ws)
            await ws.send(json.dumps(OPENING))
            await reader.say("quero ver o meu saldo")
            await reader.until("audio")
            await reader.stop_for(stops_for_s)
            await reader.until("agent_response_complete")
            await reader.say("bom dia")
            await reader.until("agent_response_complete")
    return reader


def test_a_pause_of_the_reader_loses_nothing_and_swaps_nothing(server: Server) -> None:
    async def scenario() -> tuple[Reader, Reader]:
        return await asyncio.gather(two_answers(server, 0.0), two_answers(server, STOPS_FOR_S))

    prompt, late = asyncio.run(scenario())
    assert late.told() == prompt.told()
    assert [text for kind, text in late.told() if kind == "agent_response"][-1] == "Bom dia!"
    assert late.heard_s() > STOPS_FOR_S, "the answers outlast the pause"
    assert late.heard_s() == pytest.approx(prompt.heard_s(), abs=0.1)
    ids = [fields["event_id"] for fields in late.fields("audio")]
    assert ids == sorted(set(ids))
