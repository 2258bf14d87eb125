"""`python -m tests.cluster.callers URL`: one caller who stays and types every two seconds, and one after another who
come, say one thing, wait for the answer and go. What happens to them is told line by line, in JSON.
"""

import asyncio
import json
import sys
import time

from serve_app.client import Conversation, ConversationOver, Reconnecting
from serve_app.conversation.server_messages import AgentResponse
from tests.chaos.caller import Way, initiation

BETWEEN_TURNS_S, BETWEEN_CALLS_S = 2.0, 1.0
PATIENCE_S = 10.0


def tell(what: str, seconds: float = 0.0) -> None:
    """`what` has happened now, after so long."""
    print(json.dumps({"at": time.time(), "what": what, "seconds": seconds}), flush=True)


async def stay(url: str) -> None:
    try:
        async with Conversation.connect(url, "default", initiation=initiation(Way.WRITING)) as conversation:
            await asyncio.gather(_type(conversation), _read(conversation))
    except ConversationOver:
        tell("over")


async def _type(conversation: Conversation) -> None:
    while True:
        tell("turn")
        await conversation.send_text("quero ver o meu saldo")
        await asyncio.sleep(BETWEEN_TURNS_S)


async def _read(conversation: Conversation) -> None:
    async for event in conversation:
        if isinstance(event, AgentResponse):
            tell("answer")
        elif isinstance(event, Reconnecting):
            tell("break")


async def come_and_go(url: str) -> None:
    while True:
        started = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await _one_question(url)
            tell("newcomer answered", time.monotonic() - started)
        except (ConversationOver, TimeoutError):
            tell("newcomer lost", time.monotonic() - started)
        await asyncio.sleep(BETWEEN_CALLS_S)


async def _one_question(url: str) -> None:
    async with Conversation.connect(url, "default", resume=False, initiation=initiation(Way.WRITING)) as conversation:
        await conversation.send_text("bom dia")
        async for event in conversation:
            if isinstance(event, AgentResponse):
                return


async def main(url: str) -> None:
    await asyncio.gather(stay(url), come_and_go(url))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
