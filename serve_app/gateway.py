"""The ingress deployment: routes, admission, and the sessions. It owns them; sockets attach and detach.

A session runs in a task of its own, in a fresh context: when a socket goes, Serve cancels its handler and all calls
made from it, and what the conversation still has to do must not go with it.
"""

import asyncio
import contextvars
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
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
from serve_app.admission import Ceilings, Reception
from serve_app.api.answers import unserved
from serve_app.caretaker import Caretaker
from serve_app.conversation.agent import Agent
from serve_app.conversation.heartbeat import PING_EVERY_S
from serve_app.conversation.quota import Quota, Quotas, Rate, Rates, TenantRates
from serve_app.conversation.speculation import BILLED_S_A_MINUTE, REQUESTS_A_MINUTE, Ration, Speculation
from serve_app.errors import ClientError, HelloError, InvalidMessage, Restarting, taken_over
from serve_app.handshakes import TOO_EARLY, Handshakes, are_asked_again
from serve_app.parts import Parts
from serve_app.resumption import Return, look_up, take_over
from serve_app.scaling.wishes import Wishes
from serve_app.session import Session
from serve_app.tickets import Ticket, ticket_of
from serve_app.user_config import UserConfig

logger = logging.getLogger(__name__)

WEB = Path(__file__).parent / "web"
SUBPROTOCOL = "convai"
READY_WITHIN_S = 4.0  # a probe must get its answer
NO_CLOSE_FRAME = 1006  # RFC 6455, 7.4.1
TICKET_OUTLASTS_CALL_S = 3600.0
"""A call that is resumed lasts longer: its clock stands still while nobody is connected."""
CLOSE_IS_READ_WITHIN_S = 0.1
LONGEST_REASON = 120
"""Bytes. A close frame holds 123 of them (RFC 6455, 5.5)."""


class Limits(Ceilings, frozen=True, forbid_unknown_fields=True):
    """What `user_config` may hold, besides how many conversations there may be. `ping_every_s`: of new conversations,
    while their line is good. `speculation`: what is begun before a turn is decided. `early_…`: what this replica may
    spend on recognising before then. `hedge_percentile`: an answer of the recogniser's that is later than this share of
    its latest ones is not waited for alone. `a_minute_…`: how much may come on this replica in any minute, of which
    a tenant is whoever an `Admission` says, and of REST requests with an API key. `scaling`: which replicas the region
    wants besides those that its load needs."""

    ping_every_s: Annotated[float, msgspec.Meta(ge=1)] = PING_EVERY_S
    speculation: Speculation = Speculation.TTS
    early_recognitions_a_minute: Annotated[int, msgspec.Meta(ge=0)] = REQUESTS_A_MINUTE
    early_billed_s_a_minute: Annotated[int, msgspec.Meta(ge=0)] = BILLED_S_A_MINUTE
    hedge_percentile: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.95
    a_minute_per_conversation: Rates = Rates()
    a_minute_per_tenant: TenantRates = TenantRates()
    requests_a_minute_per_key: Rate | None = None
    scaling: Wishes = Wishes()


class Composition(NamedTuple):
    """What `app.py` put together for this replica. `running` holds what must be started and stopped around it, and
    tells which conversations another replica has taken over; `describe` says, for people, which part does what; `tune`
    takes new limits to those that have any; `reception` has room for conversations, or not; `refused` is told of
    callers who get none; `stt_fails` says whether the provider of speech to text is left alone, or there is none while
    somebody calls."""

    agents: Mapping[str, Agent]
    access: Access
    parts: Parts
    routes: Sequence[BaseRoute]
    middleware: Sequence[Middleware]
    running: Callable[[Callable[[str], None]], AbstractAsyncContextManager[None]]
    describe: Callable[[], Awaitable[dict[str, Any]]]
    tune: Callable[[Limits], None]
    reception: Reception
    refused: Callable[[HelloError], None]
    stt_fails: Callable[[], bool]


@serve.deployment
@serve.ingress()
class Gateway:
    def __init__(self, compose: Callable[..., Composition], **handles: Any) -> None:
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._caretaker = Caretaker(self._sessions)
        self._made = compose(self._caretaker, **handles)
        self._user_config = UserConfig("Gateway", Limits)
        self._limits = Limits()
        self._ration = Ration()
        self._quotas = Quotas(self._limits.a_minute_per_tenant)
        self._handshakes = Handshakes() if are_asked_again() else None
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
            self._quotas = Quotas(limits.a_minute_per_tenant)
            self._made.tune(limits)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For the autoscaling policy: each second. (Serve would run it in a thread if it were no coroutine.)"""
        load = {"work": float(len(self._sessions)), "strained": float(self._made.reception.strain.is_high)}
        return load | self._limits.scaling.reported(time.time(), stt_fails=self._made.stt_fails())

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
        """One socket. Refusals come after the handshake: before it, clients would see no reason. What comes before is
        for HAProxy: another gateway may have room."""
        asked = ws.scope.get("subprotocols", [])
        self._caretaker.address = ws.scope.get("server")
        if self._leaves_to_others(ws):
            await ws.send_denial_response(Response(status_code=TOO_EARLY))
            return
        await ws.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in asked else None)
        socket = ClientSocket(ws)
        try:
            comes_back = "resume_token" in ws.query_params
            session = await (self._resume_session(ws, socket) if comes_back else self._start_session(ws, socket))
        except HelloError as e:
            self._made.refused(e)
            await socket.close(e.close_code, e.message)
            return
        code, reading = NO_CLOSE_FRAME, asyncio.create_task(_read(ws, session, socket))
        try:  # a client that takes nothing never closes either: when its session is over, so is its place
            await asyncio.wait({reading, self._sessions[session]}, return_when=asyncio.FIRST_COMPLETED)
            code = reading.result() if reading.done() else code
        finally:  # when the client goes, Serve cancels this handler; how it went is still to be read then
            try:
                await asyncio.wait({reading}, timeout=CLOSE_IS_READ_WITHIN_S)
            finally:  # also when it is cancelled once more
                code = reading.result() if reading.done() and not reading.cancelled() else code
                reading.cancel()
                session.detach(socket, code)

    async def _start_session(self, ws: WebSocket, socket: "ClientSocket") -> Session:
        """Room is looked for before a single-use URL is used up."""
        admission = self._made.access.admit(ws)
        quota = self._quotas.of(admission.tenant, _now())
        with self._place(admission.tenant, admission.agent_id) as place:
            quota.begin(_now())
            await self._made.access.use(admission)
            session = Session(
                admission.conversation_id or new_conversation_id(),
                admission.agent_id,
                self._made.agents,
                self._made.parts,
                ping_every_s=self._limits.ping_every_s,
                authorization_method=admission.authorization_method,
                speculation=self._limits.speculation,
                ration=self._ration,
                tenant=admission.tenant,
                quotas=[quota, self._own_quota()],
                ticket=self._ticket(admission.agent_id) if _asks_to_resume(ws) else None,
            )
            return self._run(session, socket, place)

    async def _resume_session(self, ws: WebSocket, socket: "ClientSocket") -> Session:
        """On the replica that has it, a conversation has never stopped; to another one it moves."""
        back = Return.of(ws.query_params)
        for session in self._sessions:
            if session.id == back.conversation_id and session.ticket and session.may_be_resumed:
                ticket_of(back.token, session.ticket.record, time.time())
                session.reattach(socket, back.last_event_id)
                return session
        known = await look_up(back, self._made.parts.log)
        if not known.agent_ids <= self._made.agents.keys():
            raise ClientError("the conversation's agent is no more")
        with self._place(known.tenant, known.agent_id, resuming=True) as place:
            past = await take_over(known, back, self._made.parts.log)
            session = Session(
                back.conversation_id,
                known.agent_id,
                self._made.agents,
                self._made.parts,
                ping_every_s=self._limits.ping_every_s,
                speculation=self._limits.speculation,
                ration=self._ration,
                quotas=[self._quotas.of(known.tenant, _now()), self._own_quota()],
                ticket=known.ticket,
                past=past,
                epoch=known.past.epoch + 1,
            )
            return self._run(session, socket, place)

    def _leaves_to_others(self, ws: WebSocket) -> bool:
        """A new conversation for which this replica has no room, if there may be others that have."""
        if self._handshakes is None or "resume_token" in ws.query_params:
            return False
        if self._caretaker.takes_calls and not self._made.reception.is_full(self._limits):
            return False
        return self._handshakes.may_leave(ws.headers.get("sec-websocket-key", ""), _now())

    def _place(self, tenant: str, agent_id: str, *, resuming: bool = False) -> ExitStack:
        """Room for a conversation, until it is closed. Raises Unavailable or Restarting."""
        if not self._caretaker.takes_calls:
            raise Restarting("this server is being replaced: try again")
        agent = self._made.agents[agent_id]
        return self._made.reception.admit(self._limits, tenant, agent_id, agent, resuming=resuming)

    def _run(self, session: Session, socket: "ClientSocket", place: ExitStack) -> Session:
        session.attach(socket)
        task = asyncio.create_task(session.run(), context=contextvars.Context(), name=session.id)
        self._sessions[session] = task
        task.add_done_callback(lambda _: self._sessions.pop(session))
        leave = place.pop_all().close
        task.add_done_callback(lambda _: leave())
        return session

    def _own_quota(self) -> Quota:
        return Quota("conversation", self._limits.a_minute_per_conversation, _now())

    def _ticket(self, agent_id: str) -> Ticket:
        config = self._made.agents[agent_id].conversation_config
        return Ticket.new(time.time() + config.conversation.max_duration_seconds + TICKET_OUTLASTS_CALL_S)

    def _superseded(self, conversation_id: str) -> None:
        """Another replica has taken it over."""
        for session in self._sessions:
            if session.id == conversation_id:
                session.end(taken_over())

    # ---- pages and probes

    async def _talk_page(self, request: Request) -> Response:
        return FileResponse(WEB / "index.html")

    async def _healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "conversations": len(self._sessions)})

    async def _readyz(self, request: Request) -> Response:
        """For load balancers: not ready is who starts, and who goes. A full server is ready: it refuses by itself."""
        self._caretaker.address = request.scope.get("server")
        load = {
            "conversations": len(self._sessions),
            "conversations_on_node": self._made.reception.conversations_on_node,
            "strained": self._made.reception.strain.is_high,
        }
        if self._caretaker.drain:
            message = "this replica is being replaced: its calls end, or move"
            return JSONResponse({"status": "draining", "message": message, **load}, status_code=503)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                return JSONResponse({"status": "ready", **await self._made.describe(), **load})
        except (HelloError, TimeoutError) as e:
            message = str(e) or f"a part did not answer within {READY_WITHIN_S:.0f} s"
            return JSONResponse({"status": "starting", "message": message, **load}, status_code=503)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with self._made.running(self._superseded):
            caring = asyncio.create_task(self._caretaker.watch())
            yield
            caring.cancel()
            for session in self._sessions:
                if session.ticket:
                    session.restart()  # it would wait for its client
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


def _now() -> float:
    """On the clock of quotas."""
    return asyncio.get_running_loop().time()


def _asks_to_resume(ws: WebSocket) -> bool:
    return ws.query_params.get("resume", "").lower() in ("1", "true")


async def _read(ws: WebSocket, session: Session, socket: ClientSocket) -> int:
    """Text frames into the session, until the socket closes; its close code. Clients never send binary ones. Of one
    whose place another has taken, nothing counts any more: it comes again over the other."""
    while True:
        message = await ws.receive()
        if message["type"] == "websocket.disconnect":
            return int(message.get("code") or NO_CLOSE_FRAME)
        if session.socket is not socket:
            continue
        if message.get("text") is None:
            session.end(InvalidMessage("binary frames are not part of the protocol: send JSON in text frames"))
        else:
            session.receive(message["text"])
