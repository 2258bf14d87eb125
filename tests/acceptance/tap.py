"""A tap on the line between clients and a server: bytes pass unmodified, and are read as WebSocket messages later."""

import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side

READ_AT_MOST = 65536
LONGEST_WINDOW = 15
"""permessage-deflate's largest; what was compressed in a smaller one, or afresh, can be read in it too (RFC 7692)."""


class Chunk(NamedTuple):
    """Bytes that arrived together. `at`: time.monotonic()."""

    at: float
    data: bytes


class TappedMessage(NamedTuple):
    """One WebSocket message. `at`: when its last byte arrived at the tap."""

    at: float
    data: str | bytes

    @property
    def event(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.data)
        return decoded


@dataclass
class Direction:
    """What one side has sent on a connection."""

    messages: list[TappedMessage] = field(default_factory=list)
    close: Close | None = None


class TappedConnection(NamedTuple):
    """One WebSocket, so far. `path`: what the client asked for, query included."""

    path: str
    client: Direction
    server: Direction


class Tap:
    """`with Tap(port) as tap`: what talks to `tap.url` talks to the server at that port of 127.0.0.1."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._recorded: list[tuple[list[Chunk], list[Chunk]]] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._threads[0].join()
        for end in self._sockets:
            _shut(end, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._sockets):
            end.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def connections(self) -> list[TappedConnection]:
        """Every WebSocket that the server has accepted, in order. Plain HTTP is left out."""
        return [read for client, server in self._recorded if (read := read_connection(client, server))]

    def conversation(self, conversation_id: str) -> TappedConnection:
        """The WebSocket whose metadata gave it this id."""
        for line in self.connections:
            first = line.server.messages[0].event if line.server.messages else {}
            if first.get("conversation_initiation_metadata_event", {}).get("conversation_id") == conversation_id:
                return line
        raise KeyError(conversation_id)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # shut down
            self._sockets.append(client)
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                _shut(client, socket.SHUT_RDWR)
                continue
            self._sockets.append(server)
            from_client: list[Chunk] = []
            from_server: list[Chunk] = []
            self._recorded.append((from_client, from_server))
            self._start(_forward, client, server, from_client)
            self._start(_forward, server, client, from_server)

    def _start(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _forward(source: socket.socket, target: socket.socket, recorded: list[Chunk]) -> None:
    """Until the source says no more, which is passed on; a connection that breaks is broken on the other side too."""
    try:
        while data := source.recv(READ_AT_MOST):
            recorded.append(Chunk(time.monotonic(), data))
            target.sendall(data)
    except OSError:
        _shut(source, socket.SHUT_RDWR)
        _shut(target, socket.SHUT_RDWR)
    else:
        _shut(target, socket.SHUT_WR)


def _shut(end: socket.socket, how: int) -> None:
    try:
        end.shutdown(how)
    except OSError:
        pass  # gone already


def read_connection(client: Iterable[Chunk], server: Iterable[Chunk]) -> TappedConnection | None:
    """What both sides said on a connection, or None if its first request did not make it a WebSocket."""
    request, client_frames = _split_head(client)
    response, server_frames = _split_head(server)
    if b" 101 " not in response.partition(b"\r\n")[0]:
        return None
    path = request.split(b" ", 2)[1].decode()
    compressed = b"permessage-deflate" in response
    return TappedConnection(
        path, _read_frames(client_frames, Side.SERVER, compressed), _read_frames(server_frames, Side.CLIENT, compressed)
    )


def _split_head(chunks: Iterable[Chunk]) -> tuple[bytes, list[Chunk]]:
    """The HTTP head, and the chunks after it."""
    head = b""
    rest = iter(list(chunks))
    for chunk in rest:
        head, end, body = (head + chunk.data).partition(b"\r\n\r\n")
        if end:
            return head, [Chunk(chunk.at, body), *rest]
    return head, []


def _read_frames(chunks: Iterable[Chunk], reader: Side, compressed: bool) -> Direction:
    """`reader`: the side which these bytes were meant for."""
    protocol = Protocol(reader, max_size=None)
    if compressed:
        protocol.extensions = [PerMessageDeflate(False, False, LONGEST_WINDOW, LONGEST_WINDOW)]
    return Direction(list(_assemble(_frames(protocol, chunks))), protocol.close_rcvd)


def _frames(protocol: Protocol, chunks: Iterable[Chunk]) -> Iterator[tuple[float, Frame]]:
    for at, data in chunks:
        protocol.receive_data(data)
        if protocol.parser_exc:
            raise protocol.parser_exc
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            yield at, frame


def _assemble(frames: Iterable[tuple[float, Frame]]) -> Iterator[TappedMessage]:
    opcode = Opcode.TEXT
    parts: list[bytes] = []
    for at, frame in frames:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            opcode, parts = frame.opcode, []
        elif frame.opcode is not Opcode.CONT:
            continue  # ping, pong, close
        parts.append(bytes(frame.data))
        if frame.fin:
            data = b"".join(parts)
            yield TappedMessage(at, data.decode() if opcode is Opcode.TEXT else data)
