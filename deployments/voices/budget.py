"""Speech that comes in time, or fails: whoever makes it may hang in ways that it does not know of itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from serve_app.errors import SpeechError
from serve_app.ports import Fallback, SpeechChunk

CLOSE_S = 0.1
"""An engine that is left gets so long to end before nobody waits for it any more."""

_leaving: set[asyncio.Task[None]] = set()


async def in_time(
    speech: AsyncGenerator[SpeechChunk | Fallback, None], *, first_s: float, gap_s: float
) -> AsyncGenerator[SpeechChunk | Fallback, None]:
    """The same speech. Raises SpeechError if the first audio takes longer than `first_s`, or the next longer than
    `gap_s`; what else comes gives no more time. The speech is closed in any case, in a task of its own: not even one
    that cannot be cancelled is waited for.
    """
    clock = asyncio.get_running_loop().time
    ready: asyncio.Queue[SpeechChunk | Fallback | None] = asyncio.Queue()
    speaking = asyncio.create_task(_pour(speech, ready))
    deadline, budget_s = clock() + first_s, first_s
    try:
        while item := await _next(ready, deadline, budget_s):
            yield item
            if isinstance(item, SpeechChunk) and item.audio:
                deadline, budget_s = clock() + gap_s, gap_s
        await speaking  # it has ended: this is for its error
    finally:
        await _leave(speaking)


async def _pour(
    speech: AsyncGenerator[SpeechChunk | Fallback, None], ready: "asyncio.Queue[SpeechChunk | Fallback | None]"
) -> None:
    try:
        async with aclosing(speech):
            async for item in speech:
                ready.put_nowait(item)
    finally:
        ready.put_nowait(None)


async def _next(
    ready: "asyncio.Queue[SpeechChunk | Fallback | None]", deadline: float, budget_s: float
) -> SpeechChunk | Fallback | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await ready.get()
    except TimeoutError as e:
        raise SpeechError(f"no audio for {budget_s:g} s") from e


async def _leave(speaking: "asyncio.Task[None]") -> None:
    speaking.cancel()
    _leaving.add(speaking)
    speaking.add_done_callback(_left)
    await asyncio.wait([speaking], timeout=CLOSE_S)


def _left(speaking: "asyncio.Task[None]") -> None:
    _leaving.discard(speaking)
    if not speaking.cancelled():
        speaking.exception()  # nobody is there to hear of it, and asyncio need not say so
