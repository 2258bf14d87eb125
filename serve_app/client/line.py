"""One WebSocket to a server, and where it leads."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

PATH = "/v1/convai/conversation"
MAX_MESSAGE_BYTES = 16 * 2**20  # as the official Python client allows
NO_CLOSE_FRAME = 1006  # RFC 6455, 7.4.1
PING_EVERY_S = 1.0
PONG_WITHIN_S = 4.0
"""Beyond it the line is dead, whatever TCP believes: a server that has frozen, a network that was left."""
CLOSE_WITHIN_S = 1.0
"""Of a dead line, too, whose loss is told after this."""
NEXT_IP_AFTER_S = 0.25
"""Of a name that has several: one that drops packets must not use up the attempt (RFC 8305, 5)."""

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_PORTS = {"ws": 80, "wss": 443}


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


Dial: TypeAlias = Callable[[str], Coroutine[Any, Any, Line]]
"""Opens a line to an address; how long that may take, the caller knows. Raises LineLost."""


class Address(NamedTuple):
    """Where conversations are opened and gone on with, and what opens one. Two ways of writing the same `endpoint`
    are one."""

    endpoint: str
    opening: tuple[tuple[str, str], ...]

    @staticmethod
    def of(url: str, agent_id: str | None, *, resume: bool) -> "Address":
        """`url`: a server's, or a signed URL. Raises ValueError."""
        parts = _parts(url)
        scheme, path = _SCHEMES[parts.scheme], parts.path.rstrip("/")
        path += "" if path.endswith(PATH) else PATH
        opening = parse_qsl(parts.query)
        if agent_id is not None:
            opening.append(("agent_id", agent_id))
        if resume:
            opening.append(("resume", "1"))
        return Address(urlunsplit((scheme, _netloc(parts, _PORTS[scheme]), path, "", "")), tuple(opening))

    @property
    def shown(self) -> str:
        """The endpoint, for the eye: without a name and a password."""
        return _shown(self.endpoint)

    def to_open(self) -> str:
        return f"{self.endpoint}?{urlencode(self.opening)}"

    def to_go_on(self, conversation_id: str, token: str, last_event_id: int) -> str:
        query = {"conversation_id": conversation_id, "resume_token": token, "last_event_id": last_event_id}
        return f"{self.endpoint}?{urlencode(query)}"


def addresses_of(urls: Sequence[str], agent_id: str | None, *, resume: bool) -> list[Address]:
    """In order, each server's first: what it has lost is not elsewhere because its name stands there twice."""
    addresses: dict[str, Address] = {}
    for address in (Address.of(url, agent_id, resume=resume) for url in urls):
        addresses.setdefault(address.shown, address)
    return list(addresses.values())


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.scheme in _SCHEMES and parts.hostname and parts.port != 0:
            return parts
        problem = "it begins with http://, https://, ws:// or wss://, then comes a host"
    except ValueError:
        problem = "its host or port cannot be one"
    raise ValueError(f"{_shown(url)}: not a server's address; {problem}")  # not chained: the cause may quote secrets


def _netloc(parts: SplitResult, default_port: int) -> str:
    user, at, _ = parts.netloc.rpartition("@")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{user}{at}{host}" if parts.port in (None, default_port) else f"{user}{at}{host}:{parts.port}"


def _shown(url: str) -> str:
    """Without what is nobody else's business: the token or signature in its query, a password."""
    return re.sub("[^/]*@", "", re.split("[?#]", url)[0])


class _Connect(connect):
    """A redirect is no answer of ours: who follows it takes the key, and the token in the URL, to somebody else."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class WebSocketLine:
    """A Line over websockets."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @staticmethod
    async def dial(url: str, api_key: str | None = None) -> Line:
        """Raises LineLost, which does not quote the URL: there is a token in it."""
        try:
            socket = await _Connect(
                url,
                subprotocols=[Subprotocol("convai")],
                additional_headers={"xi-api-key": api_key} if api_key else None,
                open_timeout=None,
                ping_interval=PING_EVERY_S,
                ping_timeout=PONG_WITHIN_S,
                close_timeout=CLOSE_WITHIN_S,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=None,  # else pongs would wait behind messages
                proxy=None,  # the server is on this machine, or near it
                **_several_ips(),
            )
        except (OSError, InvalidHandshake) as e:
            raise LineLost(NO_CLOSE_FRAME, str(e) or "no answer") from e
        except (WebSocketException, ValueError):
            raise LineLost(NO_CLOSE_FRAME, "not a server's address") from None  # the cause quotes it
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


def _several_ips() -> dict[str, Any]:
    """uvloop has no such argument; there the addresses of a name are tried one after another."""
    own = isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)
    return {"happy_eyeballs_delay": NEXT_IP_AFTER_S} if own else {}


def _lost(closed: ConnectionClosed) -> LineLost:
    return LineLost(closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else LineLost(NO_CLOSE_FRAME, "no close frame")
