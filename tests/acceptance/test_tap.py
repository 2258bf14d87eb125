"""The tap: bytes through it unchanged, and read as the messages that were sent."""

import asyncio
import io
import itertools
import socket
import struct
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosedError, ProtocolError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Close
from websockets.http11 import Request
from websockets.protocol import Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from tests.acceptance.tap import Chunk, Tap, TappedConnection, read_connection

PATH = "/v1/convai/conversation?agent_id=caf%C3%A9"
GOODBYE = Close(1000, "até logo")


class Line:
    """A client and a server without a network: what each has said so far."""

    def __init__(self, compressed: bool) -> None:
        uri = parse_uri(f"ws://127.0.0.1:80{PATH}")
        self.client = ClientProtocol(uri, extensions=[ClientPerMessageDeflateFactory()] if compressed else [])
        self.server = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()] if compressed else [])
        self.from_client = self.from_server = b""
        self.client.send_request(self.client.connect())
        self.exchange()
        [request] = self.server.events_received()
        assert isinstance(request, Request)
        self.server.send_response(self.server.accept(request))
        self.exchange()

    def exchange(self) -> None:
        """Everything said so far reaches the other side, and so do the answers to it."""
        said = True
        while said:
            by_client, by_server = b"".join(self.client.data_to_send()), b"".join(self.server.data_to_send())
            self.from_client += by_client
            self.from_server += by_server
            self.server.receive_data(by_client)
            self.client.receive_data(by_server)
            said = bool(by_client or by_server)


def in_chunks(data: bytes, sizes: Iterator[int]) -> list[Chunk]:
    stream = io.BytesIO(data)
    pieces = iter(lambda: stream.read(next(sizes, -1)), b"")
    return [Chunk(float(number), piece) for number, piece in enumerate(pieces)]


def read(line: Line, sizes: list[int]) -> TappedConnection:
    tapped = read_connection(in_chunks(line.from_client, iter(sizes)), in_chunks(line.from_server, iter(sizes)))
    assert tapped
    return tapped


def send(side: Protocol, text: str, pieces: int) -> None:
    """One message, in so many frames, with a ping between any two."""
    data = text.encode()
    cuts = [len(data) * i // pieces for i in range(pieces + 1)]
    for number, (start, end) in enumerate(itertools.pairwise(cuts), start=1):
        say = side.send_text if number == 1 else side.send_continuation
        say(data[start:end], fin=number == pieces)
        side.send_ping(b"still there?")


MESSAGES = st.lists(st.tuples(st.booleans(), st.text(max_size=300), st.integers(1, 3)), max_size=8)


@given(MESSAGES, st.booleans(), st.lists(st.integers(1, 400), max_size=40))
def test_what_was_sent_is_read(sent: list[tuple[bool, str, int]], compressed: bool, sizes: list[int]) -> None:
    """However the bytes were cut on their way, compressed or not, in one frame or in several."""
    line = Line(compressed)
    for by_client, text, pieces in sent:
        send(line.client if by_client else line.server, text, pieces)
        line.exchange()
    line.server.send_close(GOODBYE.code, GOODBYE.reason)
    line.exchange()

    tapped = read(line, sizes)
    assert tapped.path == PATH
    assert [message.data for message in tapped.client.messages] == [text for by, text, _ in sent if by]
    assert [message.data for message in tapped.server.messages] == [text for by, text, _ in sent if not by]
    assert (tapped.server.close, tapped.client.close) == (GOODBYE, GOODBYE)


def test_a_message_arrives_with_its_last_byte() -> None:
    line = Line(compressed=False)
    for text in ('{"type": "a"}', '{"type": "b"}'):
        line.server.send_text(text.encode())
    line.exchange()
    frames = len(line.from_server) - 2 * 15  # where they begin: 2 bytes of header each, 13 of text
    first, second = read(line, [frames, 14, 2]).server.messages
    assert (first.at, first.event) == (2.0, {"type": "a"})
    assert (second.at, second.event) == (3.0, {"type": "b"})


def test_a_connection_that_goes_on_has_no_close_and_half_a_message_is_none() -> None:
    line = Line(compressed=False)
    line.server.send_text(b'{"type": "a"}')
    line.exchange()
    line.from_server = line.from_server[:-1]
    tapped = read(line, [])
    assert (tapped.server.messages, tapped.server.close) == ([], None)


def test_what_is_no_websocket_is_left_out() -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHTTP/1.1 101 x"
    assert read_connection([Chunk(0.0, request)], [Chunk(0.0, response)]) is None
    assert read_connection([], []) is None


def test_broken_frames_are_an_error() -> None:
    line = Line(compressed=False)
    line.from_server += b"\xf1\x00"
    with pytest.raises(ProtocolError, match="reserved bits must be 0"):
        read(line, [])


def test_bytes_pass_and_are_recorded() -> None:
    """Through real sockets: the server sees the tap's address in Host, and how the client went."""
    hosts: list[str] = []
    broken = asyncio.Event()

    async def echo(socket: ServerConnection) -> None:
        assert socket.request
        hosts.append(socket.request.headers["Host"])
        try:
            async for message in socket:
                await socket.send(message)
        except ConnectionClosedError:
            broken.set()

    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            [listener] = server.sockets
            with Tap(listener.getsockname()[1]) as tap:
                async with connect(f"{tap.ws_url}{PATH}") as client:
                    await client.send('{"type": "hello"}')
                    assert await client.recv() == '{"type": "hello"}'
                    [during] = tap.connections
                    assert [message.event for message in during.server.messages] == [{"type": "hello"}]
                    assert during.client.close is None
                async with connect(f"{tap.ws_url}/gone") as client:
                    client.transport.abort()
                await broken.wait()
                first, second = tap.connections
                assert first.path == PATH
                assert first.client.close == Close(1000, "")
                assert (second.path, second.client.close, second.server.close) == ("/gone", None, None)
                assert hosts == [f"127.0.0.1:{tap.port}"] * 2

    asyncio.run(scenario())


def test_plain_http_passes() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.headers["Host"].encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Not on the terminal of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            with Tap(server.server_port) as tap, urllib.request.urlopen(tap.url) as response:
                assert response.read().decode() == f"127.0.0.1:{tap.port}"
                assert tap.connections == []
        finally:
            server.shutdown()


def test_a_broken_connection_is_broken_on_the_other_side() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Tap(listener.getsockname()[1]) as tap,
        socket.create_connection(("127.0.0.1", tap.port)) as client,
        listener.accept()[0] as server,
    ):
        client.sendall(b"half a requ")
        assert server.recv(100) == b"half a requ"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() resets
        client.close()
        server.settimeout(5)
        assert server.recv(100) == b""


def test_a_server_that_is_away_is_a_closed_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Tap(port) as tap, socket.create_connection(("127.0.0.1", tap.port)) as client:
        assert client.recv(1) == b""
        assert tap.connections == []
