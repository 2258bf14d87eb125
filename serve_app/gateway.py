"""The ingress deployment: routes, admission, and the sessions. It owns them; sockets attach and detach.

A session runs in a task of its own, in a fresh context: when a socket goes, Serve cancels its handler and all calls
made from it, and what the conversation still has to do must not go with it.
"""

import asyncio
import contextvars
import logging
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from ray import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from serve_app.conversation.agent import Agent
from serve_app.errors import ClientError, ConfigurationError, HelloError, InvalidMessage, Unavailable
from serve_app.session import Parts, Session

logger = logging.getLogger(__name__)

WEB = Path(__file__).parent / "web"
SUBPROTOCOL = "convai"


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `user_config` may hold. Below Serve's max_ongoing_requests, beyond which a caller would hang unanswered."""

    max_conversations: int = 80


class Composition(NamedTuple):
    """What `app.py` put together for this replica. `running` holds what must be started and stopped around it;
    `describe` says, for people, which part does what."""

    agents: dict[str, Agent]
    parts: Parts
    routes: list[BaseRoute]
    running: Callable[[], AbstractAsyncContextManager[None]]
    describe: Callable[[], Awaitable[dict[str, str]]]


@serve.deployment
@serve.ingress()
class Gateway:
    def __init__(self, compose: Callable[..., Composition], **handles: Any) -> None:
        self._made = compose(**handles)
        self._limits: Limits | None = None
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") != "1":
            logger.warning(
                "HAProxy is off: Serve's own proxy adds over 20 ms to audio from five callers on. "
                "Set RAY_SERVE_ENABLE_HA_PROXY=1, and the rest of configs/ray.env, before Ray starts on every node."
            )

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Raising later than at the start would end the replica and its calls: an invalid change is refused instead."""
        try:
            self._limits = msgspec.convert(user_config, Limits)
        except msgspec.ValidationError as e:
            if self._limits is None:
                raise ConfigurationError(f"Gateway's user_config: {e}") from e
            logger.error("Gateway keeps its old user_config; the new one is invalid: %s", e)

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
            lifespan=self._lifespan,
        )

    # ---- conversations

    async def _converse(self, ws: WebSocket) -> None:
        """One socket. Refusals come after the handshake: before it, clients would see no reason."""
        asked = ws.scope.get("subprotocols", [])
        await ws.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in asked else None)
        try:
            session = self._start_session(ws)
        except HelloError as e:
            await ws.close(e.close_code, e.message)
            return
        try:
            await _read(ws, session)
        finally:
            session.detach()

    def _start_session(self, ws: WebSocket) -> Session:
        if self._limits and len(self._sessions) >= self._limits.max_conversations:
            raise Unavailable("all lines are busy: try again in a moment")
        agent_id = ws.query_params.get("agent_id", "")
        agent = self._made.agents.get(agent_id)
        if agent is None:
            raise ClientError(f"no such agent_id; this server has: {', '.join(self._made.agents)}")
        session = Session(f"conv_{uuid.uuid4().hex}", agent_id, agent, self._made.parts)
        session.attach(ws)
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
            return JSONResponse({"status": "ready", **await self._made.describe()})
        except HelloError as e:
            return JSONResponse({"status": "starting", "message": e.message}, status_code=503)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with self._made.running():
            yield
            for session in self._sessions:
                session.end(Unavailable("the server is shutting down: connect again"))
            await asyncio.gather(*self._sessions.values())


async def _read(ws: WebSocket, session: Session) -> None:
    """Text frames into the session, until the socket closes. Clients never send binary ones."""
    while True:
        try:
            message = await ws.receive()
        except (WebSocketDisconnect, RuntimeError):
            return
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None:
            session.end(InvalidMessage("binary frames are not part of the protocol: send JSON in text frames"))
            continue
        await session.receive(text)
