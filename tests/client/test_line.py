"""Addresses, and lines over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest

from serve_app.client.line import NEXT_IP_AFTER_S, Address, LineLost, WebSocketLine, addresses_of
from serve_app.client.opening import begin
from tests.fakes.resuming_server import ResumingServer
from tests.virtual_time import VirtualTimeLoop


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


@pytest.mark.parametrize(
    "url",
    [
        *("host:8000", "ftp://host", "http://", "", "/v1/convai/conversation"),
        *("https://host:99999", "https://host:port", "https://host:0", "https://:8000", "http://[1"),
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="not a server's address"):
        Address.of(url, None, resume=True)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://ana:hush@host/voice?conversation_signature=hush",
        "https://ana:hush@host:99999#hush",
        "ana:hush@host:8000",
    ],
)
def test_of_a_mistake_nothing_secret_is_told(url: str) -> None:
    with pytest.raises(ValueError, match=r"host.*: not a server's address") as mistake:
        Address.of(url, None, resume=True)
    assert "hush" not in str(mistake.value)
    assert mistake.value.__cause__ is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://near", "wss://NEAR:443/"),
        ("http://near:80", "ws://near/v1/convai/conversation"),
        ("http://[::1]:80/voice", "http://[::1]/voice/"),
    ],
)
def test_two_ways_of_writing_it_are_one_address(one: str, other: str) -> None:
    assert Address.of(one, "a", resume=True) == Address.of(other, "a", resume=True)


def test_of_each_server_there_is_one_address_the_first() -> None:
    signed = "wss://near/v1/convai/conversation?agent_id=a&conversation_signature="
    urls = [f"{signed}1", "https://far", f"{signed}2", "https://NEAR:443"]
    assert [address.to_open() for address in addresses_of(urls, None, resume=False)] == [
        f"{signed}1",
        "wss://far/v1/convai/conversation?",
    ]


def test_a_user_is_sent_to_the_server_and_shown_to_nobody() -> None:
    address = Address.of("https://Ana:Hush@HOST:8443/voice", "a", resume=True)
    assert address.endpoint == "wss://Ana:Hush@host:8443/voice/v1/convai/conversation"
    assert address.shown == "wss://host:8443/voice/v1/convai/conversation"


def lost_by(url: str) -> LineLost:
    async def perform() -> LineLost:
        with pytest.raises(LineLost) as lost:
            await WebSocketLine.dial(url)
        return lost.value

    return asyncio.run(perform())


def test_nobody_there() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        assert lost_by(f"ws://127.0.0.1:{reserved.getsockname()[1]}").code == 1006


@pytest.mark.parametrize("url", ["ws://a..b/?resume_token=hush", "https://host/?resume_token=hush"])
def test_what_cannot_be_dialled_is_a_line_that_is_lost_and_the_token_is_not_told(url: str) -> None:
    lost = lost_by(url)
    assert lost.code == 1006
    assert "hush" not in lost.reason
    assert lost.__cause__ is None


class Redirecting:
    """Sends everybody to `location`."""

    def __init__(self, location: str) -> None:
        self.location = location

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/?resume_token=hush"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 302 Found\r\nLocation: {self.location}\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        writer.close()
        await writer.wait_closed()


def test_a_redirect_is_not_followed_and_the_key_stays_here() -> None:
    async def perform() -> tuple[list[LineLost], list[str | None]]:
        lost = []
        async with ResumingServer() as elsewhere:
            for location in (f"{elsewhere.url.replace('http', 'ws')}/v1/", "https://elsewhere/?resume_token=hush"):
                async with Redirecting(location).serving() as url:
                    with pytest.raises(LineLost) as each:
                        await WebSocketLine.dial(url, api_key="hush")
                lost.append(each.value)
        return lost, elsewhere.keys

    lost, keys = asyncio.run(perform())
    assert keys == []
    assert [each.code for each in lost] == [1006, 1006]
    assert all("302" in each.reason and "hush" not in each.reason for each in lost)


class TwoIps(VirtualTimeLoop):
    """Every name has two: the first drops what comes, the second refuses it. `tried`: which, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[tuple[str, float]] = []

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", port)) for n in (1, 2)]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.tried.append((address[0], self.time()))
        if address[0] == "127.0.0.1":
            await asyncio.sleep(120)
        raise ConnectionRefusedError


def test_an_ip_that_drops_everything_does_not_keep_from_the_next_one() -> None:
    async def perform() -> TwoIps:
        with pytest.raises(LineLost):
            await begin(WebSocketLine.dial, "ws://name", 2.0)
        await asyncio.sleep(1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TwoIps)
        return loop

    with asyncio.Runner(loop_factory=TwoIps) as runner:
        assert runner.run(perform()).tried == [("127.0.0.1", 0), ("127.0.0.2", NEXT_IP_AFTER_S)]


def test_a_proxy_without_a_server_behind_it() -> None:
    async def perform() -> LineLost:
        async with ResumingServer() as server:
            server.refuses = HTTPStatus.SERVICE_UNAVAILABLE
            with pytest.raises(LineLost) as lost:
                await WebSocketLine.dial(Address.of(server.url, "a", resume=True).to_open())
        return lost.value

    lost = asyncio.run(perform())
    assert lost.code == 1006
    assert "503" in lost.reason
