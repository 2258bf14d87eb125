"""Addresses, and lines over real sockets."""

import asyncio
import socket
from http import HTTPStatus

import pytest

from serve_app.client.line import Address, LineLost, WebSocketLine
from tests.fakes.resuming_server import ResumingServer


@pytest.mark.parametrize(
    ("url", "agent_id", "opened"),
    [
        ("http://host:8000", "default", "ws://host:8000/v1/convai/conversation?agent_id=default&resume=1"),
        ("https://host/", "café&bar", "wss://host/v1/convai/conversation?agent_id=caf%C3%A9%26bar&resume=1"),
        ("wss://host/voice/", "a", "wss://host/voice/v1/convai/conversation?agent_id=a&resume=1"),
        (
            "wss://host/v1/convai/conversation?agent_id=a&conversation_signature=s%3D",
            None,
            "wss://host/v1/convai/conversation?agent_id=a&conversation_signature=s%3D&resume=1",
        ),
    ],
)
def test_addresses(url: str, agent_id: str | None, opened: str) -> None:
    address = Address.of(url, agent_id, resume=True)
    assert address.to_open() == opened
    assert address.to_go_on("conv_1", "t+/=", 5) == (
        f"{opened.partition('?')[0]}?conversation_id=conv_1&resume_token=t%2B%2F%3D&last_event_id=5"
    )


def test_who_does_not_want_to_come_back_does_not_say_so() -> None:
    assert "resume" not in Address.of("ws://host", "a", resume=False).to_open()


@pytest.mark.parametrize("url", ["host:8000", "ftp://host", "http://", "", "/v1/convai/conversation"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="not a server's address"):
        Address.of(url, None, resume=True)


def lost_by(url: str) -> LineLost:
    async def perform() -> LineLost:
        with pytest.raises(LineLost) as lost:
            await WebSocketLine.dial(url, 5.0)
        return lost.value

    return asyncio.run(perform())


def test_nobody_there() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        assert lost_by(f"ws://127.0.0.1:{reserved.getsockname()[1]}").code == 1006


def test_takes_the_call_and_never_answers() -> None:
    async def perform() -> LineLost:
        with pytest.raises(LineLost) as lost:
            await WebSocketLine.dial(f"ws://127.0.0.1:{listening.getsockname()[1]}", 0.05)
        return lost.value

    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert asyncio.run(perform()).code == 1006


def test_a_proxy_without_a_server_behind_it() -> None:
    async def perform() -> LineLost:
        async with ResumingServer() as server:
            server.refuses = HTTPStatus.SERVICE_UNAVAILABLE
            with pytest.raises(LineLost) as lost:
                await WebSocketLine.dial(Address.of(server.url, "a", resume=True).to_open(), 5.0)
        return lost.value

    lost = asyncio.run(perform())
    assert lost.code == 1006
    assert "503" in lost.reason
