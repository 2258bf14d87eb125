"""The conversation log: append at once, written behind to PostgreSQL in batches, in order, kept while it is away."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Sequence
from itertools import count, islice
from typing import Any

import msgspec

from serve_app.errors import StoreError
from serve_app.ports import LogEvent
from serve_app.store.database import Database, RefusedError
from serve_app.store.projections import Record, store

LINGER_SECONDS = 0.05  # events of this long share a transaction
BATCH_EVENTS = 200  # encoding more would hold up the event loop
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
RETRIES_A_WARNING = 15  # one a minute, about
FLUSH_SECONDS = 2.0
DRAIN_SECONDS = 10.0

QUEUE_BYTES = 64 * 1024 * 1024
RECORD_BYTES = 300  # of a queued record without its data

logger = logging.getLogger(__name__)


class PostgresLog:
    """Implements `ports.ConversationLog`. Call everything from one event loop; `start` it and `aclose` it there.

    While PostgreSQL is away or slow, up to `queue_bytes` are kept. The last half of that is not for audio spans: they
    are the bulk of the events, and what was said is worth more. What finds no room is counted, and reported.
    """

    def __init__(self, database: Database, *, queue_bytes: int = QUEUE_BYTES) -> None:
        self._database = database
        self._queue: deque[Record] = deque()
        self._room = queue_bytes
        self._queue_bytes = queue_bytes
        self._appended = 0
        self._arrived = asyncio.Event()
        self._progress = asyncio.Condition()
        self._writer: asyncio.Task[None] | None = None
        self._turned_away = 0  # since the queue was last empty

    def start(self) -> None:
        self._writer = asyncio.create_task(self._write_behind(), name="conversation-log")

    async def aclose(self) -> None:
        """Store what is still queued, for at most DRAIN_SECONDS, and stop. Closes the log, not the database."""
        if self._writer is None:
            return
        await self._settled(DRAIN_SECONDS)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        self._writer = None
        if self._queue:
            logger.error(
                "conversation log closed with %d events not stored; %d found no room",
                len(self._queue),
                self._turned_away,
            )

    def append(self, event: LogEvent) -> None:
        try:
            data = msgspec.json.encode(_storable(event.data)).decode()
        except (TypeError, ValueError, RecursionError) as e:
            _report_dropped(event.conversation_id, event.sequence, event.kind, type(e).__name__)
            return
        record = Record(event.conversation_id, event.sequence, event.at_unix, event.kind, data)
        reserve = self._queue_bytes // 2 if event.kind == "audio" else 0
        if self._room - _size(record) < reserve:
            self._turn_away()
            return
        self._room -= _size(record)
        self._queue.append(record)
        self._appended += 1
        self._arrived.set()

    async def flush(self) -> None:
        """Return when everything appended so far is stored, or after FLUSH_SECONDS."""
        await self._settled(FLUSH_SECONDS)

    async def _settled(self, seconds: float) -> None:
        goal = self._appended
        try:
            async with asyncio.timeout(seconds), self._progress:
                await self._progress.wait_for(lambda: self._appended - len(self._queue) >= goal)
        except TimeoutError:
            pass

    async def _write_behind(self) -> None:
        while True:
            await self._arrived.wait()
            if len(self._queue) < BATCH_EVENTS:
                await asyncio.sleep(LINGER_SECONDS)
            batch = list(islice(self._queue, BATCH_EVENTS))
            await self._store_sometime(batch)
            await self._forget(batch)

    async def _forget(self, batch: Sequence[Record]) -> None:
        for record in batch:
            self._queue.popleft()
            self._room += _size(record)
        if not self._queue:
            self._arrived.clear()
            self._report_turned_away()
        async with self._progress:
            self._progress.notify_all()

    async def _store_sometime(self, batch: Sequence[Record]) -> None:
        for attempt in count():
            try:
                await self._store(batch)
            except StoreError as e:
                if attempt % RETRIES_A_WARNING == 0:
                    self._report_outage(e)
                await asyncio.sleep(_backoff(attempt))
            else:
                if attempt:
                    logger.warning("conversation log: storing again")
                return

    async def _store(self, batch: Sequence[Record]) -> None:
        """One transaction; if it is refused, halves of it, until what cannot be stored stands alone and is dropped."""
        try:
            async with self._database.connection() as connection:
                await store(connection, batch)
        except RefusedError as e:
            if len(batch) == 1:
                _report_dropped(batch[0].conversation_id, batch[0].sequence, batch[0].kind, str(e))
                return
            middle = len(batch) // 2
            await self._store(batch[:middle])
            await self._store(batch[middle:])

    def _turn_away(self) -> None:
        if not self._turned_away:
            logger.error("conversation log: its queue is full; events are being dropped, audio spans first")
        self._turned_away += 1

    def _report_outage(self, error: StoreError) -> None:
        logger.warning(
            "conversation log: %s; %d events are kept until it is back, %d found no room",
            error,
            len(self._queue),
            self._turned_away,
        )

    def _report_turned_away(self) -> None:
        if self._turned_away:
            logger.error("conversation log: all is stored, but for %d events that found no room", self._turned_away)
            self._turned_away = 0


def _report_dropped(conversation_id: str, sequence: int, kind: str, why: str) -> None:
    logger.error("conversation log: dropped event %d (%s) of %s: %s", sequence, kind, conversation_id, why)


def _backoff(attempt: int) -> float:
    """Seconds to wait, doubling, and not the same in every process."""
    seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempt, 10), LAST_RETRY_SECONDS)
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311


def _size(record: Record) -> int:
    return len(record.data) + RECORD_BYTES


def _storable(value: Any) -> Any:
    """jsonb holds no NUL, and a client's text may."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value
