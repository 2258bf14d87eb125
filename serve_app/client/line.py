"""One WebSocket to a server, and where it leads."""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

PATH = "/v1/convai/conversation"
MAX_MESSAGE_BYTES = 16 * 2**20  # as the official Python client allows
NO_CLOSE_FRAME = 1006  # RFC 6455, 7.4.1
PING_EVERY_S = 1.0
PONG_WITHIN_S = 4.0
"""Beyond it the line is dead, whatever TCP believes: a server that has frozen, a network that was left."""
CLOSE_WITHIN_S = 2.0

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class LineLost(Exception):
    """Nothing more comes over it. `code`: the close frame's, NO_CLOSE_FRAME where there was none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Line(Protocol):
    """`send` and `recv` carry text frames. Both raise LineLost."""

    async def send(self, text: str) -> None: ...

    async def recv(self) -> str: ...

    async def close(self) -> None:
        """Say goodbye, if there is somebody to say it to."""
        ...

    def abort(self) -> None:
        """Leave without a word."""
        ...


Dial: TypeAlias = Callable[[str, float], Coroutine[Any, Any, Line]]
"""Opens a line to an address within so many seconds. Raises LineLost."""


class Address(NamedTuple):
    """Where conversations are opened and gone on with, and what opens one."""

    endpoint: str
    opening: tuple[tuple[str, str], ...]

    @staticmethod
    def of(url: str, agent_id: str | None, *, resume: bool) -> "Address":
        """`url`: a server's, or a signed URL. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise ValueError(f"{url}: not a server's address; it begins with http://, https://, ws:// or wss://")
        path = parts.path.rstrip("/")
        path += "" if path.endswith(PATH) else PATH
        opening = parse_qsl(parts.query)
        if agent_id is not None:
            opening.append(("agent_id", agent_id))
        if resume:
            opening.append(("resume", "1"))
        return Address(urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, "", "")), tuple(opening))

    def to_open(self) -> str:
        return f"{self.endpoint}?{urlencode(self.opening)}"

    def to_go_on(self, conversation_id: str, token: str, last_event_id: int) -> str:
        query = {"conversation_id": conversation_id, "resume_token": token, "last_event_id": last_event_id}
        return f"{self.endpoint}?{urlencode(query)}"


class WebSocketLine:
    """A Line over websockets."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @staticmethod
    async def dial(url: str, within: float, api_key: str | None = None) -> Line:
        """`within`: seconds. Raises LineLost."""
        try:
            socket = await connect(
                url,
                subprotocols=[Subprotocol("convai")],
                additional_headers={"xi-api-key": api_key} if api_key else None,
                open_timeout=within,
                ping_interval=PING_EVERY_S,
                ping_timeout=PONG_WITHIN_S,
                close_timeout=CLOSE_WITHIN_S,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=None,  # else pongs would wait behind messages
                proxy=None,  # the server is on this machine, or near it
            )
        except (OSError, InvalidHandshake) as e:  # TimeoutError among them
            raise LineLost(NO_CLOSE_FRAME, str(e) or "no answer") from e
        return WebSocketLine(socket)

    async def send(self, text: str) -> None:
        try:
            await self._socket.send(text)
        except ConnectionClosed as e:
            raise _lost(e) from e

    async def recv(self) -> str:
        try:
            return await self._socket.recv(decode=True)
        except ConnectionClosed as e:
            raise _lost(e) from e

    async def close(self) -> None:
        await self._socket.close(1000, "User ended conversation")

    def abort(self) -> None:
        self._socket.transport.abort()


def _lost(closed: ConnectionClosed) -> LineLost:
    return LineLost(closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else LineLost(NO_CLOSE_FRAME, "no close frame")
