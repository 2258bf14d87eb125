"""ElevenLabs' text to speech on a loopback port, in its three streaming ways: real speech with its alignment, and the
service's faults on demand.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from aiohttp import web

from tests.fakes.elevenlabs_faults import HTTP, MULTI, SINGLE, STATUSES, WAYS, Fault, for_ever, reset
from tests.fakes.elevenlabs_socket import Socket
from tests.fakes.elevenlabs_speech import Context, Received, Speech, timed_line
from tests.fakes.held_port import HeldPort

__all__ = ["HTTP", "MULTI", "SINGLE", "WAYS", "Context", "FakeElevenLabs", "Fault", "Received"]


class FakeElevenLabs(Speech):
    """A context manager that serves while it is open; `url` is what ELEVENLABS_BASE_URL takes. See `Speech`.

    `fault` is what the next requests, handshakes and clauses meet, on sockets that are open already too, until it is
    None again. REFUSED meets every way, whatever `faulty` says.
    """

    def __init__(self, *, delay_s: float = 0.0, jitter_s: float = 0.0) -> None:
        super().__init__(delay_s, jitter_s)
        self.received: list[Received] = []
        self._fault: Fault | None = None
        self._sockets: set[Socket] = set()
        self._port = HeldPort()
        self._listener = self._port.listen()
        self.url = f"http://127.0.0.1:{self._port.number}"
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> "FakeElevenLabs":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._port.close()

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        """What is open has met it when this returns."""
        asyncio.run_coroutine_threadsafe(self._meet(fault), self._loop).result()

    @property
    def contexts(self) -> list[Context]:
        """All that ever were, oldest first in each socket."""
        return [context for one in list(self.received) for context in list(one.contexts)]

    @property
    def live_contexts(self) -> int:
        return sum(len(one.live) for one in list(self.received))

    @property
    def characters(self) -> int:
        """All text that was to be spoken: what ElevenLabs bills."""
        return sum(len(context.text) for context in self.contexts)

    @property
    def open_sockets(self) -> int:
        return len(self._sockets)

    def kill(self, received: Received) -> None:
        """Reset one socket."""
        [one] = [one for one in self._sockets if one.received is received]
        self._loop.call_soon_threadsafe(one.kill)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app, path = web.Application(), "/v1/text-to-speech/{voice_id}/"
        app.router.add_get(path + MULTI, self._handler(MULTI, self._converse))
        app.router.add_get(path + SINGLE, self._handler(SINGLE, self._converse))
        app.router.add_post(path + HTTP, self._handler(HTTP, self._stream))
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await self.start()
        await self._listen()
        self._started.set()
        await self._stop.wait()
        await self._runner.cleanup()
        await self.stop()

    async def _listen(self) -> None:
        self._site = web.SockSite(self._runner, self._listener)
        await self._site.start()

    async def _meet(self, fault: Fault | None) -> None:
        refused, self._fault = self._fault is Fault.REFUSED, fault
        if fault is Fault.REFUSED:
            await self._site.stop()
            for connection in self._runner.server.connections:
                reset(connection.transport)
        elif refused:
            self._listener = self._port.listen()
            await self._listen()
        for one in [one for one in self._sockets if one.way in self.faulty]:
            if fault is Fault.HALF_OPEN:
                one.freeze()
            if fault is Fault.IDLE:
                await one.fail("input_timeout_exceeded", "no text for too long")

    def _handler(
        self, way: str, answer: Callable[[web.Request, Received], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            fault = self.fault_of(way) if request.headers.get("xi-api-key") else Fault.BAD_KEY
            if fault in STATUSES and fault is not Fault.ERROR:
                return _refusal(fault)
            if fault is Fault.HALF_OPEN:
                request.transport.pause_reading()
                await for_ever()
            with self._recorded(request, way) as received:
                return await answer(request, received)

        return handle

    @contextmanager
    def _recorded(self, request: web.Request, way: str) -> Iterator[Received]:
        received = Received(way, request.match_info["voice_id"], dict(request.query), request.headers["xi-api-key"])
        self.received.append(received)
        try:
            yield received
        finally:
            received.closed.set()

    async def _converse(self, request: web.Request, received: Received) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False, timeout=0.2)
        await ws.prepare(request)
        one = Socket(self, ws, request.transport, received)
        self._sockets.add(one)
        try:
            await one.converse()
        finally:
            self._sockets.discard(one)
        return ws

    async def _stream(self, request: web.Request, received: Received) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        received.messages.append(body)
        context = Context("", body.get("voice_settings"), closed=True)
        context.hear(body["text"])
        received.begin(context)
        response = web.StreamResponse(headers={"content-type": "application/json"})
        match self.fault_of(HTTP):
            case Fault.ERROR:
                return _refusal(Fault.ERROR)
            case Fault.STALL:
                await for_ever()
            case Fault.MALFORMED:
                return web.Response(text="{not json\n")
            case Fault.NO_AUDIO:
                return web.Response()
        await response.prepare(request)
        async with aclosing(self.spoken(received, context, body["text"])) as chunks:
            async for chunk in chunks:
                await response.write(timed_line(received, context, chunk))
                await self._break_off(request.transport)
        context.final = True
        return response

    async def _break_off(self, transport: Any) -> None:
        match self.fault_of(HTTP):
            case Fault.STALL_MIDWAY | Fault.HALF_OPEN:
                await for_ever()
            case Fault.RESET:
                reset(transport)
            case Fault.EARLY_CLOSE:
                transport.close()


def _refusal(fault: Fault) -> web.Response:
    status, name = STATUSES[fault]
    return web.json_response({"detail": {"status": name, "message": "refused"}}, status=status)
