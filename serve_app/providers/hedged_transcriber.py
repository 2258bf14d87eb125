"""Speech recognition that is not late: who hears best is asked first, and who is nearest when that takes long."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias

from msgspec.structs import replace

from serve_app.conversation.breaker import Breaker, State
from serve_app.errors import TranscriptionError
from serve_app.observability.correlation import note
from serve_app.ports import Fallback, Transcriber, Transcript
from serve_app.providers.attempt import LEFT_ALONE, attempt

PERCENTILE = 0.95
LOCAL = "local Whisper"

FEWEST, MOST = 10, 100
"""Latencies that a percentile is taken of: the newest ones."""
FIRST_DELAY_S = 0.5
"""Until there are enough of them."""
SHORTEST_DELAY_S, LONGEST_DELAY_S = 0.3, 0.8
"""Sooner, and most utterances would be recognised twice; later, and the caller would notice."""

FORGOTTEN_S = 60.0
"""After the last attempt: an open breaker does not close while there are no calls."""

GOOD = 0.6
"""Confidence below which a caller is asked again: that had better wait for the one who hears best."""

Hearing: TypeAlias = Callable[[Transcriber], Coroutine[Any, Any, Transcript]]
"""One utterance, for anybody to recognise."""


class Primary(Transcriber, Protocol):
    async def aclose(self) -> None:
        """Close its connections."""
        ...


class Standby(Transcriber, Protocol):
    """One that may be asleep: asking it wakes it, which takes a while, and keeps it awake, which has its price."""

    def if_awake(self) -> Transcriber | None:
        """The same for what nobody relies on: it does not stay awake for that. None: it is asleep."""
        ...


class HedgedTranscriber:
    """Asks `primary`; when it is later than `percentile` (0..1) of its answers are, `local` too, if it is awake. The
    first good answer counts: any of the primary's, or words that the local one is sure of. What else the local one says
    is used when the primary fails, however sure it is, and asked for at once.

    `breaker` is the primary's, and has its name. Half open, the local one is asked as soon as ever: a probe makes no
    caller wait for long. A primary that came second is heard out, which costs nothing more, so that its breaker and
    the percentile learn whether it was late or dead: how long that takes is its own budget.
    """

    def __init__(self, primary: Primary, local: Standby, breaker: Breaker, *, percentile: float = PERCENTILE) -> None:
        self.percentile = percentile
        self._primary = primary
        self._local = local
        self._breaker = breaker
        self._latencies: deque[float] = deque(maxlen=MOST)
        self._tried_at = -math.inf
        self._asked: set[asyncio.Task[Transcript]] = set()

    async def transcribe(
        self, pcm: bytes, *, language: str | None, keywords: Sequence[str] = (), tentative: bool = False
    ) -> Transcript:
        """As Transcriber.transcribe. Cancelling cancels both. Raises TranscriptionError, with both reasons, if both
        fail. What is tentative is asked of one alone."""

        def hearing(by: Transcriber) -> Coroutine[Any, Any, Transcript]:
            return by.transcribe(pcm, language=language, keywords=keywords, tentative=tentative)

        now = asyncio.get_running_loop().time
        if not self._breaker.admits(now()):
            local = self._local.if_awake() if tentative else self._local
            if local is None:
                raise TranscriptionError(f"it {LEFT_ALONE}; {LOCAL} is asleep")
            return await self._instead(hearing(local), f"it {LEFT_ALONE}")
        if tentative:
            return await self._by_primary(hearing)
        asked_at, primary = now(), self._ask_primary(hearing)
        try:
            await asyncio.wait([primary], timeout=self.delay_s)
            is_needed = primary.done() or self._breaker.state is not State.CLOSED
            local = self._local if is_needed else self._local.if_awake()
            if local is None:
                await asyncio.wait([primary])
            if _answered(primary):
                return primary.result()
            second = asyncio.create_task(hearing(local or self._local))
            try:
                await _first_good(primary, second)
                if _answered(primary):
                    return primary.result()
                why = _failure(primary) or f"late: no answer within {now() - asked_at:.2f} s"
                return await self._instead(second, why)
            finally:
                await _stop(second)
        except asyncio.CancelledError:
            await _stop(primary)
            raise

    @property
    def fails(self) -> bool:
        """Whether the primary is left alone, or being tried again. If nobody has wanted to in the last FORGOTTEN_S,
        nobody needs to know."""
        is_recent = asyncio.get_running_loop().time() - self._tried_at < FORGOTTEN_S
        return self._breaker.state is not State.CLOSED and is_recent

    @property
    def delay_s(self) -> float:
        """How long the primary is waited for alone."""
        if self._breaker.state is State.HALF_OPEN:
            return SHORTEST_DELAY_S
        if len(self._latencies) < FEWEST:
            return FIRST_DELAY_S
        rank = max(1, math.ceil(self.percentile * len(self._latencies)))  # the nearest-rank percentile
        return min(max(sorted(self._latencies)[rank - 1], SHORTEST_DELAY_S), LONGEST_DELAY_S)

    async def aclose(self) -> None:
        """Stop what is still being heard out, and close the primary."""
        for task in list(self._asked):
            await _stop(task)
        await self._primary.aclose()

    def _ask_primary(self, hearing: Hearing) -> asyncio.Task[Transcript]:
        task = asyncio.create_task(self._by_primary(hearing))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        task.add_done_callback(_note_failure)
        return task

    async def _by_primary(self, hearing: Hearing) -> Transcript:
        """What it hears; its breaker is told how that ended."""
        now = asyncio.get_running_loop().time
        asked_at = self._tried_at = now()
        with attempt(self._breaker):
            transcript = await hearing(self._primary)
        self._latencies.append(now() - asked_at)
        return transcript

    async def _instead(self, local: Awaitable[Transcript], why: str) -> Transcript:
        try:
            heard = await local
        except TranscriptionError as e:
            raise TranscriptionError(f"{why}; {LOCAL}: {e.message}") from e
        note(instead=LOCAL)
        return replace(heard, fallbacks=(Fallback("stt", self._breaker.name, why, LOCAL),))


async def _first_good(primary: asyncio.Task[Transcript], local: asyncio.Task[Transcript]) -> None:
    waiting = {primary, local}
    while waiting and not _answered(primary) and not (_answered(local) and local.result().confidence >= GOOD):
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


async def _stop(task: asyncio.Task[Transcript]) -> None:
    task.add_done_callback(_note_failure)
    task.cancel()
    await asyncio.wait([task])


def _answered(task: asyncio.Task[Transcript]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _failure(task: asyncio.Task[Transcript]) -> str:
    """Why it failed; empty: it has not, so far."""
    try:
        if task.done():
            task.result()
    except TranscriptionError as e:
        return e.message
    return ""


def _note_failure(task: asyncio.Task[Transcript]) -> None:
    """asyncio complains of errors that nobody looked at. Who needs this one has seen it, and its breaker too."""
    if not task.cancelled():
        task.exception()
