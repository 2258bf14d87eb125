"""Journal files -> PostgreSQL: in batches over all conversations, behind their writing, each conversation in order."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from serve_app.errors import StoreError
from serve_app.store import events, journal_file
from serve_app.store.database import Database, RefusedError
from serve_app.store.epochs import Claim
from serve_app.store.history_redaction import HistoryRedaction
from serve_app.store.journal import Journal
from serve_app.store.journal_file import Chunk, JournalFile
from serve_app.store.projections import Record
from serve_app.store.spool import Spool, Waiting

LINGER_SECONDS = 0.05  # events of this long share a transaction
BATCH_EVENTS = 200  # encoding more would hold up the event loop
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
RETRIES_A_WARNING = 15  # one a minute, about

logger = logging.getLogger(__name__)


class _Batch(NamedTuple):
    """`waiting`: the events from memory that are among the rows. `lost`: files of conversations that were taken over on
    this node."""

    chunks: list[Chunk]
    rows: list[tuple[JournalFile, Record]]
    waiting: Sequence[Waiting]
    lost: set[JournalFile]

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= BATCH_EVENTS


class Writer:
    """`run` it in a task. `owner` is this replica; files of others, whom it has survived, are stored as theirs.

    What agents say must not be stored is redacted on the way. The journal has it, for whoever goes on with the
    conversation on this node.

    A file is looked at before the node's epochs: so what is stored of it was there when another replica took the
    conversation over and read it, if one has. `on_refused` is told of a file that is to be stored no more.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        spool: Spool,
        redaction: HistoryRedaction,
        on_refused: Callable[[JournalFile], None],
    ) -> None:
        self._database = database
        self._journal = journal
        self._spool = spool
        self._redaction = redaction
        self._on_refused = on_refused
        self._behind: dict[JournalFile, float] = {}  # since when
        self._arrived = asyncio.Event()
        self._progress = asyncio.Condition()
        self._failures = 0
        self.owner = ""
        self.outage: StoreError | None = None
        self.refused = 0

    def add(self, file: JournalFile) -> None:
        """There is something in it to be stored."""
        self._behind.setdefault(file, time.monotonic())
        self._arrived.set()

    def forget(self, file: JournalFile) -> None:
        """Whatever is in it is stored no more."""
        file.refused_at = time.monotonic()
        self.refused += max(0, file.appended - file.settled)
        self._spool.drop(file)
        self._behind.pop(file, None)

    def behind(self) -> tuple[int, int, float]:
        """Events and bytes that are not stored, and seconds since the first of them came."""
        bytes_ = sum(file.size - file.stored for file in self._behind) + self._spool.waiting_bytes
        count = sum(max(0, file.appended - file.settled) for file in self._behind)
        return count, bytes_, time.monotonic() - min(self._behind.values(), default=time.monotonic())

    async def settled(self, seconds: float) -> bool:
        """Return when all that is known by now is stored or refused, or after so many seconds: then it is False."""
        goals = {file: file.appended for file in self._behind}

        def reached() -> bool:
            return all(file.settled >= goal or file not in self._behind for file, goal in goals.items())

        try:
            async with asyncio.timeout(seconds), self._progress:
                await self._progress.wait_for(reached)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        is_full = False
        while True:
            await self._arrived.wait()
            if not is_full:
                await asyncio.sleep(LINGER_SECONDS)
            self._spool.retry()
            since = time.monotonic()
            batch = await self._next()
            try:
                refused = await self._store(await asyncio.to_thread(self._redaction.rows, batch.rows))
            except StoreError as e:
                await self._wait_out(e)
                continue
            self._recover()
            await self._settle(batch, refused, since)
            is_full = batch.is_full

    async def _next(self) -> _Batch:
        """Memory comes last: what waits there is newer than all that is in files."""
        batch = await asyncio.to_thread(self._read, list(self._behind))
        if batch.is_full or any(chunk.end < chunk.file.size for chunk in batch.chunks):
            return batch
        waiting = self._spool.waiting(BATCH_EVENTS - len(batch.rows))
        for file, line in waiting:
            batch.rows.extend((file, record) for record in journal_file.records(file.claim.conversation_id, line))
        return batch._replace(waiting=waiting)

    def _read(self, files: Sequence[JournalFile]) -> _Batch:
        chunks: list[Chunk] = []
        room = BATCH_EVENTS
        for file in files:
            if room > 0:
                chunks.append(_read(file, room))
                room -= len(chunks[-1].records)
        epochs = self._journal.epochs()
        lost = {chunk.file for chunk in chunks if self._is_lost(chunk.file.claim, epochs)}
        good = [chunk for chunk in chunks if chunk.file not in lost]
        return _Batch(good, [(chunk.file, each) for chunk in good for each in chunk.records], (), lost)

    def _is_lost(self, claim: Claim, epochs: dict[str, int]) -> bool:
        """A dead replica's file grows no more: what is in it is its conversation's, whoever has it now."""
        return claim.owner == self.owner and epochs.get(claim.conversation_id, 0) > claim.epoch

    async def _store(self, rows: Sequence[tuple[JournalFile, Record]]) -> set[Claim]:
        """One transaction; if it is refused, halves of it, until what cannot be stored stands alone and is dropped."""
        batch: dict[Claim, list[Record]] = {}
        for file, record in rows:
            batch.setdefault(file.claim, []).append(record)
        if not batch:
            return set()
        try:
            async with self._database.connection() as connection:
                return await events.store(connection, batch)
        except RefusedError as e:
            if len(rows) == 1:
                report_dropped(rows[0][1].conversation_id, rows[0][1].sequence, rows[0][1].kind, str(e))
                return set()
            middle = len(rows) // 2
            return await self._store(rows[:middle]) | await self._store(rows[middle:])

    async def _settle(self, batch: _Batch, refused: set[Claim], since: float) -> None:
        self._spool.forget(batch.waiting)
        for file in batch.lost.union(file for file, _ in batch.rows if file.claim in refused):
            if file.refused_at is None:
                self._on_refused(file)
        for file, record in batch.rows:
            file.note(record)
        for chunk in batch.chunks:
            chunk.file.stored = chunk.end
        for file in dict.fromkeys([*(chunk.file for chunk in batch.chunks), *(file for file, _ in batch.waiting)]):
            self._requeue(file, None if batch.is_full else since)
        if not self._behind:
            self._arrived.clear()
        async with self._progress:
            self._progress.notify_all()

    def _requeue(self, file: JournalFile, since: float | None) -> None:
        """Those of whom there is more, or older than `since`, go behind the others."""
        before = self._behind.pop(file, None)
        if before is not None and (not file.is_stored or self._spool.holds(file)):
            self._behind[file] = since or before

    async def _wait_out(self, error: StoreError) -> None:
        self.outage = error
        if self._failures % RETRIES_A_WARNING == 0:
            count, bytes_, _ = self.behind()
            logger.warning(
                "conversation log: %s; %d events (%d bytes) are kept in the journal until it is back",
                error,
                count,
                bytes_,
            )
        await asyncio.sleep(_backoff(self._failures))
        self._failures += 1

    def _recover(self) -> None:
        if self.outage:
            logger.warning("conversation log: storing again")
        self.outage, self._failures = None, 0


def report_dropped(conversation_id: str, sequence: int, kind: str, why: str) -> None:
    logger.error("conversation log: dropped event %d (%s) of %s: %s", sequence, kind, conversation_id, why)


def _read(file: JournalFile, room: int) -> Chunk:
    size = file.size
    try:
        return file.read(room)
    except OSError as e:
        logger.error("conversation log: cannot read back what %s has said: %s", file.claim.conversation_id, e.strerror)
        return Chunk(file, [], size)


def _backoff(attempt: int) -> float:
    """Seconds to wait, doubling, and not the same in every process."""
    seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempt, 10), LAST_RETRY_SECONDS)
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311
