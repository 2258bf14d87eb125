"""Somebody who opens a conversation every 200 ms, says nothing, and hangs up: are newcomers taken?"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.beside import beside
from tests.chaos.caller import Way, initiation

EVERY_S, ANSWERED_WITHIN_S = 0.2, 5.0
OPENING = json.dumps({"type": "conversation_initiation_client_data", **initiation(Way.WRITING)})


class Probe(NamedTuple):
    """`at`: when it was dialled, on the event loop's clock; `failure`: empty if it was taken."""

    at: float
    took_s: float
    failure: str


@asynccontextmanager
async def probing(ws_url: str) -> AsyncIterator[list[Probe]]:
    """A list that grows while the block runs, by one at a time or by several where the server is slow."""
    probes: list[Probe] = []
    dialling: set[asyncio.Task[None]] = set()
    clock = asyncio.get_running_loop().time

    async def dial() -> None:
        at = clock()
        failure = await _failure(f"{ws_url}/v1/convai/conversation?agent_id=default")
        probes.append(Probe(at, clock() - at, failure))

    async def probe() -> None:
        while True:
            task = asyncio.create_task(dial())
            dialling.add(task)
            task.add_done_callback(dialling.discard)
            await asyncio.sleep(EVERY_S)

    try:
        async with beside(probe()):
            yield probes
    finally:
        await asyncio.gather(*dialling, return_exceptions=True)


async def _failure(url: str) -> str:
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S), connect(url, compression=None) as line:
            await line.send(OPENING)
            kind = json.loads(await line.recv())["type"]
    except (OSError, TimeoutError, WebSocketException, ValueError, KeyError, TypeError) as e:  # or no message of ours
        return str(e) or type(e).__name__
    return "" if kind == "conversation_initiation_metadata" else f"it began with {kind}"
