"""A client of two servers, of which `near` is the nearer: in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from serve_app.client import Conversation, Reconnecting
from serve_app.client.events import Event
from serve_app.client.line import Address, Line, LineLost
from tests.client.lines import MemoryLine, Servers
from tests.virtual_time import run

ADDRESSES = [Address.of(f"http://{host}", "default", resume=True) for host in ("near", "far")]
NOBODY = LineLost(1006, "nobody there")
FULL = LineLost(1013, "all lines are busy")
UNKNOWN = LineLost(4004, "no such conversation is known here")
INITIATION = {"user_id": "ana"}


def latest(low: float, high: float) -> float:
    return high


def begun(conversation_id: str = "conv_1", audio_format: str = "pcm_16000") -> MemoryLine:
    return MemoryLine().begin(conversation_id=conversation_id, audio_format=audio_format)


def play(score: Callable[[Conversation], Awaitable[None]], lines: Mapping[str, Sequence[Line | LineLost]]) -> Servers:
    """Nothing of it may be left running."""

    async def perform() -> Servers:
        servers = Servers(**lines)
        conversation = await Conversation.open(ADDRESSES, servers, INITIATION, latest)
        await score(conversation)
        await conversation.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return servers

    return run(perform())


async def until_there_again(conversation: Conversation) -> Event:
    async for event in conversation:
        if not isinstance(event, Reconnecting):
            return event
    raise AssertionError("it is over")
