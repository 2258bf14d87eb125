"""The fake that conversations are resumed on keeps to the wire."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.fakes.resuming_server import CONVERSATION_ID, ResumingServer


def open_line(server: ResumingServer, **query: Any) -> connect:
    url = server.url.replace("http", "ws") + f"/v1/convai/conversation?{urlencode(query)}"
    return connect(url, proxy=None, subprotocols=[Subprotocol("convai")])


async def told(line: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await line.recv())
    return message


async def begun(line: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = (await told(line))["conversation_initiation_metadata_event"]
    return event


def play(scenario: Callable[[ResumingServer], Awaitable[None]]) -> None:
    async def perform() -> None:
        async with asyncio.timeout(10), ResumingServer() as server:
            await scenario(server)

    asyncio.run(perform())


def test_who_does_not_ask_gets_no_token() -> None:
    async def scenario(server: ResumingServer) -> None:
        async with open_line(server, agent_id="default") as line:
            assert "resume" not in await begun(line)

    play(scenario)


def test_who_comes_back_gets_what_was_lost_and_learns_what_was_heard() -> None:
    async def scenario(server: ResumingServer) -> None:
        async with open_line(server, agent_id="default", resume=1) as line:
            resume = (await begun(line))["resume"]
            assert (resume["received_audio_ms"], resume["resumed"]) == (0, False)
            await line.send(json.dumps({"user_audio_chunk": base64.b64encode(bytes(3200)).decode()}))
            await server.say("agent_response", agent_response="um")
            await told(line)
            await server.until(lambda: len(server.heard) == 3200)
            server.cut()
            with pytest.raises(ConnectionClosed):
                await line.recv()
        await server.say("agent_response", agent_response="dois")
        back = {"conversation_id": CONVERSATION_ID, "resume_token": resume["token"], "last_event_id": 1}
        async with open_line(server, **back) as line:
            resume = (await begun(line))["resume"]
            assert (resume["received_audio_ms"], resume["resumed"]) == (100, True)
            assert (await told(line))["agent_response_event"] == {"agent_response": "dois", "event_id": 2}
            await server.say("agent_response", agent_response="três")
            assert (await told(line))["agent_response_event"]["event_id"] == 3

    play(scenario)


@pytest.mark.parametrize(
    ("conversation_id", "token", "code"), [("conv_2", "token-1", 4004), (CONVERSATION_ID, "guessed", 1008)]
)
def test_strangers_are_refused(conversation_id: str, token: str, code: int) -> None:
    async def scenario(server: ResumingServer) -> None:
        async with open_line(server, agent_id="default", resume=1) as line:
            await begun(line)
            async with open_line(
                server, conversation_id=conversation_id, resume_token=token, last_event_id=0
            ) as stranger:
                with pytest.raises(ConnectionClosed) as refused:
                    await stranger.recv()
                assert refused.value.rcvd
                assert refused.value.rcvd.code == code
            await server.say("agent_response", agent_response="ainda")
            assert (await told(line))["type"] == "agent_response"

    play(scenario)


def test_the_second_connection_takes_over() -> None:
    async def scenario(server: ResumingServer) -> None:
        async with open_line(server, agent_id="default", resume=1) as line:
            token = (await begun(line))["resume"]["token"]
            back = {"conversation_id": CONVERSATION_ID, "resume_token": token, "last_event_id": 0}
            async with open_line(server, **back) as second:
                await begun(second)
                with pytest.raises(ConnectionClosed) as closed:
                    await line.recv()
                assert closed.value.rcvd
                assert closed.value.rcvd.code == 4001

    play(scenario)
