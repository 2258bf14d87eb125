"""A front end, two nodes behind it, and a client that trusts its certificate."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.loadbalancer.certificates import Authority
from tests.loadbalancer.front_end import FrontEnd, Start
from tests.loadbalancer.node import CALLS, Node, running_node


class Site(NamedTuple):
    front_end: FrontEnd
    nodes: list[Node]
    trust: ssl.SSLContext

    def dial(self, query: str = "", **options: Any) -> connect:
        """A call; its first message is what `heard` reads."""
        return connect(f"{self.front_end.ws_url}{CALLS}?{query}", ssl=self.trust, proxy=None, **options)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        async with httpx.AsyncClient(verify=self.trust, trust_env=False) as client:
            return await client.get(f"{self.front_end.url}{path}", headers=headers)

    async def ask(self, path: str, *header: str) -> str:
        """What comes back, head and body, for a request with these lines in its head."""
        reader, writer = await asyncio.open_connection("localhost", self.front_end.port, ssl=self.trust)
        lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{self.front_end.port}", "Connection: close", *header]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        writer.close()
        return head + body.decode()

    async def until_written(self, line: str) -> None:
        async def is_written() -> bool:
            return line in self.front_end.written

        await until(is_written)


@asynccontextmanager
async def site(start: Start, authority: Authority, changes: Mapping[str, str] | None = None) -> AsyncIterator[Site]:
    async with running_node() as first, running_node() as second:
        with start(authority.issue(), [first.port, second.port], changes) as front_end:
            yield Site(front_end, [first, second], authority.trust())


async def heard(call: ClientConnection) -> dict[str, str]:
    """The headers of its request, as a node got them."""
    headers: dict[str, str] = json.loads(await call.recv())
    return headers


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await happened():  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.05)
