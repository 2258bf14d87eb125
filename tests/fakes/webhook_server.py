"""Somebody's HTTP API on a loopback port: keeps what it is asked, answers what it is told to, breaks on demand."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from enum import Enum, auto
from typing import Any

import msgspec
import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send


class Fault(Enum):
    """What the next requests meet, until `fault` is None again."""

    STALL = auto()  # not a byte
    STALL_MIDWAY = auto()  # headers and half of the body, then nothing
    EARLY_CLOSE = auto()  # headers and half of the body, then the connection closes
    ENDLESS = auto()  # a body that goes on until the client leaves


class Received(msgspec.Struct, frozen=True):
    """One request as it came in: `target` is the path with its query, as it was written on the wire.

    Requests over one connection have the same `client_port`. Names of headers are in lower case.
    """

    client_port: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class FakeWebhook:
    """A context manager that serves while it is open. `answer` makes the response of any request."""

    def __init__(self, answer: Callable[[Received], Response] = lambda received: Response('{"ok":true}')) -> None:
        self._first_answer = answer
        self.answer = answer
        self.fault: Fault | None = None
        self.received: list[Received] = []
        self.stalling = threading.Event()  # a request has come to a stall
        self.disconnected = threading.Event()  # its client has left
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app, interface="asgi3", log_config=None, ws="none", lifespan="off", timeout_keep_alive=75
            )
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def reset(self) -> None:
        """Forget what was received, have no fault any more, answer as at first."""
        self.fault, self.answer = None, self._first_answer
        self.received.clear()
        self.stalling.clear()
        self.disconnected.clear()

    def __enter__(self) -> "FakeWebhook":
        self._thread.start()  # the socket listens already: who connects before the server runs waits in its backlog
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        received = await _received(request)
        self.received.append(received)
        response = await self._response(request, received)
        await response(scope, receive, send)

    async def _response(self, request: Request, received: Received) -> Response:
        if self.fault is Fault.STALL:
            await self._until_disconnect(request)
            return Response(status_code=499)
        answer = self.answer(received)
        if self.fault is None:
            return answer
        return StreamingResponse(self._broken(request, bytes(answer.body)), answer.status_code)

    async def _broken(self, request: Request, body: bytes) -> AsyncIterator[bytes]:
        try:
            yield body[: len(body) // 2]
            while self.fault is Fault.ENDLESS:
                yield b"x" * 65_536
                await asyncio.sleep(0)  # sending to a client who has left does not wait: let that be noticed
            if self.fault is Fault.STALL_MIDWAY:
                await self._until_disconnect(request)
            raise ConnectionAbortedError  # the server closes the connection without the end of the body
        finally:
            self.disconnected.set()

    async def _until_disconnect(self, request: Request) -> None:
        self.stalling.set()
        try:
            while (await request.receive())["type"] != "http.disconnect":
                pass
        finally:  # a streaming response notices too, and cancels its body
            self.disconnected.set()


async def _received(request: Request) -> Received:
    _, port = request.client or ("", 0)
    query = request.scope["query_string"]
    target = request.scope["raw_path"] + (b"?" + query if query else b"")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Received(port, request.method, target.decode(), headers, await request.body())
