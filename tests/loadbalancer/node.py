"""What is behind a load balancer, as far as that can tell: it takes WebSockets and requests, and tells what came."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

CALLS = "/v1/convai/conversation"
HEALTH = "/-/healthz"


class Node:
    """`port` of 127.0.0.1. `paths`: what was asked for, but for its health. `leaves`: 503 to whoever asks about that.
    `status`: of all other answers.

    A call is told in its first message what its request was, and then hears its own words.
    """

    def __init__(self) -> None:
        self.port = 0
        self.paths: list[str] = []
        self.leaves = False
        self.status = HTTPStatus.OK

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == HEALTH:
            status = HTTPStatus.SERVICE_UNAVAILABLE if self.leaves else HTTPStatus.OK
            return connection.respond(status, "")
        self.paths.append(request.path)
        if request.path.partition("?")[0] == CALLS:
            return None
        return connection.respond(self.status, _told(request.headers))

    async def converse(self, connection: ServerConnection) -> None:
        assert connection.request
        await connection.send(_told(connection.request.headers))
        async for message in connection:
            await connection.send(message)


@asynccontextmanager
async def running_node(port: int = 0) -> AsyncIterator[Node]:
    """On a port of the kernel's choice if none is given."""
    node = Node()
    async with serve(node.converse, "127.0.0.1", port, process_request=node.answer, max_size=None) as server:
        node.port = next(iter(server.sockets)).getsockname()[1]
        yield node


def _told(headers: Headers) -> str:
    """By name in lower case; a header that came twice has both of its values."""
    return json.dumps({name.lower(): ", ".join(headers.get_all(name)) for name in headers})
