"""The ingress deployment: routes, admission, and the sessions. It owns them; sockets attach and detach.

A session runs in a task of its own, in a fresh context: when a socket goes, Serve cancels its handler and all calls
made from it, and what the conversation still has to do must not go with it.
"""

import asyncio
import contextvars
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from ray import serve
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from serve_app.access import Access, new_conversation_id
from serve_app.api.answers import unserved
from serve_app.conversation.agent import Agent
from serve_app.conversation.heartbeat import PING_EVERY_S
from serve_app.conversation.speculation import BILLED_S_A_MINUTE, REQUESTS_A_MINUTE, Ration, Speculation
from serve_app.errors import HelloError, InvalidMessage, Unavailable
from serve_app.session import Parts, Session
from serve_app.user_config import UserConfig

logger = logging.getLogger(__name__)

WEB = Path(__file__).parent / "web"
SUBPROTOCOL = "convai"
READY_WITHIN_S = 4.0  # a probe must get its answer
NO_CLOSE_FRAME = 1006  # RFC 6455, 7.4.1
LONGEST_REASON = 120
"""Bytes. A close frame holds 123 of them (RFC 6455, 5.5)."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `user_config` may hold. `max_conversations`: below Serve's max_ongoing_requests, beyond which a caller would
    hang unanswered. `ping_every_s`: of new conversations, while their line is good. `speculation`: what is begun before
    a turn is decided. `early_…`: what this replica may spend on recognising before then. `hedge_percentile`: an answer
    of the recogniser's that is later than this share of its latest ones is not waited for alone."""

    max_conversations: Annotated[int, msgspec.Meta(ge=1)] = 80
    ping_every_s: Annotated[float, msgspec.Meta(ge=1)] = PING_EVERY_S
    speculation: Speculation = Speculation.TTS
    early_recognitions_a_minute: Annotated[int, msgspec.Meta(ge=0)] = REQUESTS_A_MINUTE
    early_billed_s_a_minute: Annotated[int, msgspec.Meta(ge=0)] = BILLED_S_A_MINUTE
    hedge_percentile: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.95


class Composition(NamedTuple):
    """What `app.py` put together for this replica. `running` holds what must be started and stopped around it;
    `describe` says, for people, which part does what; `tune` takes new limits to those that have any."""

    agents: Mapping[str, Agent]
    access: Access
    parts: Parts
    routes: Sequence[BaseRoute]
    middleware: Sequence[Middleware]
    running: Callable[[], AbstractAsyncContextManager[None]]
    describe: Callable[[], Awaitable[dict[str, str]]]
    tune: Callable[[Limits], None]


@serve.deployment
@serve.ingress()
class Gateway:
    def __init__(self, compose: Callable[..., Composition], **handles: Any) -> None:
        self._made = compose(**handles)
        self._user_config = UserConfig("Gateway", Limits)
        self._limits = Limits()
        self._ration = Ration()
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._opening = 0  # calls that are being let in
        if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") != "1":
            logger.warning(
                "HAProxy is off: Serve's own proxy adds over 20 ms to audio from five callers on. "
                "Set RAY_SERVE_ENABLE_HA_PROXY=1, and the rest of configs/ray.env, before Ray starts on every node."
            )

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take new limits, for conversations to come. See `UserConfig.take`."""
        if limits := self._user_config.take(user_config):
            self._limits = limits
            self._ration = Ration(limits.early_recognitions_a_minute, limits.early_billed_s_a_minute)
            self._made.tune(limits)

    def __serve_build_asgi_app__(self) -> Starlette:
        return Starlette(
            routes=[
                WebSocketRoute("/v1/convai/conversation", self._converse),
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                *self._made.routes,
                Route("/", self._talk_page),
                Mount("/web", StaticFiles(directory=WEB)),
            ],
            middleware=self._made.middleware,
            exception_handlers={404: unserved, 405: unserved},
            lifespan=self._lifespan,
        )

    # ---- conversations

    async def _converse(self, ws: WebSocket) -> None:
        """One socket. Refusals come after the handshake: before it, clients would see no reason."""
        asked = ws.scope.get("subprotocols", [])
        await ws.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in asked else None)
        socket = ClientSocket(ws)
        try:
            session = await self._start_session(ws, socket)
        except HelloError as e:
            await socket.close(e.close_code, e.message)
            return
        code, reading = NO_CLOSE_FRAME, asyncio.create_task(_read(ws, session))
        try:  # a client that takes nothing never closes either: when its session is over, so is its place
            await asyncio.wait({reading, self._sessions[session]}, return_when=asyncio.FIRST_COMPLETED)
            code = reading.result() if reading.done() else code
        finally:  # when the client vanishes, Serve cancels this handler
            reading.cancel()
            session.detach(code)

    async def _start_session(self, ws: WebSocket, socket: "ClientSocket") -> Session:
        """Room is looked for first: to be let in uses a single-use URL up."""
        limits = self._limits
        if len(self._sessions) + self._opening >= limits.max_conversations:
            raise Unavailable("all lines are busy: try again in a moment")
        self._opening += 1
        try:
            admission = await self._made.access.admit(ws)
        finally:
            self._opening -= 1
        session = Session(
            admission.conversation_id or new_conversation_id(),
            admission.agent_id,
            self._made.agents,
            self._made.parts,
            ping_every_s=limits.ping_every_s,
            authorization_method=admission.authorization_method,
            speculation=limits.speculation,
            ration=self._ration,
        )
        session.attach(socket)
        task = asyncio.create_task(session.run(), context=contextvars.Context(), name=session.id)
        self._sessions[session] = task
        task.add_done_callback(lambda _: self._sessions.pop(session))
        return session

    # ---- pages and probes

    async def _talk_page(self, request: Request) -> Response:
        return FileResponse(WEB / "index.html")

    async def _healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "conversations": len(self._sessions)})

    async def _readyz(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                return JSONResponse({"status": "ready", **await self._made.describe()})
        except (HelloError, TimeoutError) as e:
            message = str(e) or f"a part did not answer within {READY_WITHIN_S:.0f} s"
            return JSONResponse({"status": "starting", "message": message}, status_code=503)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with self._made.running():
            yield
            await asyncio.gather(*self._sessions.values())  # their sockets are closed by now: what is left is the log


class ClientSocket:
    """Starlette's WebSocket as a session needs it: a client that is gone is an OSError, a long reason is cut."""

    def __init__(self, ws: WebSocket) -> None:
        self._ws = ws

    async def send_text(self, data: str) -> None:
        with _gone_is_an_os_error():
            await self._ws.send_text(data)

    async def close(self, code: int, reason: str) -> None:
        with _gone_is_an_os_error():
            await self._ws.close(code, reason.encode()[:LONGEST_REASON].decode(errors="ignore"))


@contextmanager
def _gone_is_an_os_error() -> Iterator[None]:
    try:
        yield
    except (WebSocketDisconnect, RuntimeError) as e:  # RuntimeError: it was closed already
        raise ConnectionResetError("the client is gone") from e


async def _read(ws: WebSocket, session: Session) -> int:
    """Text frames into the session, until the socket closes; its close code. Clients never send binary ones."""
    while True:
        message = await ws.receive()
        if message["type"] == "websocket.disconnect":
            return int(message.get("code") or NO_CLOSE_FRAME)
        if message.get("text") is None:
            session.end(InvalidMessage("binary frames are not part of the protocol: send JSON in text frames"))
        else:
            session.receive(message["text"])
