"""The conversation log: each event is in the node's journal when `append` returns, and in PostgreSQL a moment later."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from serve_app.errors import StoreError
from serve_app.observability.redaction import Redactor
from serve_app.ports import LogEvent
from serve_app.store import epochs, journal_file, owners
from serve_app.store.adoption import Adoption
from serve_app.store.database import Database
from serve_app.store.epochs import Claim
from serve_app.store.history_redaction import HistoryRedaction
from serve_app.store.journal import Folder, Journal, is_name
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record
from serve_app.store.spool import Spool
from serve_app.store.takeover import Takeover
from serve_app.store.writer import Writer, report_dropped

FLUSH_SECONDS = 2.0
DRAIN_SECONDS = 10.0
WATCH_SECONDS = 0.5  # between looks whether conversations were taken over
SWEEP_SECONDS = 1.0

logger = logging.getLogger(__name__)


class JournaledLog:
    """Implements `ports.ConversationLog`. Call everything from one event loop; `start` it and `aclose` it there.

    `on_superseded` is called with the id of a conversation of ours that another replica has taken over; what we append
    to it from then on is refused, and counted in `refused`. `redactor`: for conversations of agents that ask for it.
    """

    def __init__(self, database: Database, root: Path, redactor: Redactor | None = None) -> None:
        self._database = database
        self._journal = Journal(root)
        self._spool = Spool()
        redaction = HistoryRedaction(redactor or Redactor())
        self._writer = Writer(database, self._journal, self._spool, redaction, self._refuse)
        self._takeover = Takeover(database, self._journal, self._spool, lambda: self._writer.outage)
        self._adoption = Adoption(self, database, self._journal, self._writer)
        self._folder: Folder | None = None
        self._files: dict[str, JournalFile] = {}  # of conversations that are ours
        self._lost: list[JournalFile] = []  # of those that were
        self._tasks: list[asyncio.Task[None]] = []
        self.on_superseded: Callable[[str], None] = lambda _: None

    def start(self) -> None:
        """Raises ConfigurationError: there can be no journal."""
        self._folder = self._journal.open()
        self._writer.owner = self._folder.name
        duties = {
            "writer": self._writer.run(),
            "node-watch": self._watch_node(),
            "store-watch": self._watch_store(),
            "sweep": self._sweep(),
            "heartbeat": owners.stay_known(self._database, self._folder.name),
        }
        self._tasks = [asyncio.create_task(duty, name=f"conversation-log-{name}") for name, duty in duties.items()]
        for task in self._tasks:
            task.add_done_callback(_report_death)

    async def aclose(self) -> None:
        """Store what is still unstored, for at most DRAIN_SECONDS, and stop: the rest is for whoever adopts the
        journal. Closes the log, not the database."""
        if self._folder is None:
            return
        await self._writer.settled(DRAIN_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        count, bytes_, _ = self._writer.behind()
        if count:
            logger.error("conversation log closed: %d events (%d bytes) are in the journal only", count, bytes_)
        await asyncio.to_thread(self._leave, self._folder)
        self._folder = None

    # ---- ports.ConversationLog

    def append(self, event: LogEvent) -> None:
        try:
            line = journal_file.line(event.sequence, event.epoch, event.at_unix, event.kind, _json(event.data))
            file = self._file(event)
        except (TypeError, ValueError, RecursionError) as e:
            report_dropped(event.conversation_id, event.sequence, event.kind, type(e).__name__)
            return
        if file is None:
            self._writer.refused += 1
        elif self._spool.append(file, event.kind, line):
            self._writer.add(file)

    async def flush(self) -> None:
        """Return when everything appended so far is stored, or after FLUSH_SECONDS."""
        await self._writer.settled(FLUSH_SECONDS)

    async def events(self, conversation_id: str) -> list[LogEvent]:
        """The last one is a "taken_over" if the conversation is in an epoch that nothing is known of yet."""
        if not is_name(conversation_id):
            return []
        records, epoch, _ = await self._takeover.known(conversation_id)
        found = await asyncio.to_thread(_events, records)
        if found and epoch > found[-1].epoch:
            last = found[-1]
            found.append(LogEvent(conversation_id, last.sequence + 1, last.at_unix, "taken_over", {}, epoch))
        return found

    async def take_over(self, conversation_id: str, epoch: int) -> bool:
        if not is_name(conversation_id):
            return False
        file = self._new_file(conversation_id, epoch)
        if not await self._takeover.claim(file.claim) or not await self._takeover.begin(file.claim, file):
            return False
        if conversation_id in self._files:
            self._refuse(self._files[conversation_id])
        self._files[conversation_id] = file
        self._writer.add(file)
        return True

    # ---- for operators

    @property
    def dropped(self) -> int:
        """Events that found no room in the journal."""
        return self._spool.dropped

    @property
    def refused(self) -> int:
        """Events of conversations that somebody else had taken over."""
        return self._writer.refused

    def behind(self) -> tuple[int, int, float]:
        """Events and bytes that PostgreSQL has not got, and seconds since the first of them came."""
        return self._writer.behind()

    async def describe(self, seconds: float) -> str:
        """How the log is, found out in at most so many seconds."""
        try:
            version = await self._database.ask(lambda c: c.fetchval("SHOW server_version"), seconds)
        except StoreError:
            version = None
        if version and not self._writer.outage:
            return f"PostgreSQL {version}"
        count, bytes_, _ = self._writer.behind()
        trouble = f"PostgreSQL {version} takes nothing" if version else "PostgreSQL does not answer"
        place = "the journal" if self._spool.is_on_disk else "memory, as the journal's disk refuses them"
        return f"{trouble}: {count:,} events wait in {place} ({bytes_ / 1e6:.1f} MB)"

    # ---- conversations that come, and go

    @property
    def _own_folder(self) -> Folder:
        assert self._folder is not None, "the log is started"
        return self._folder

    def _file(self, event: LogEvent) -> JournalFile | None:
        """None: the conversation is not ours any more. Raises ValueError."""
        conversation_id, epoch = event.conversation_id, event.epoch
        file = self._files.get(conversation_id)
        if file is None:
            if not is_name(conversation_id):
                raise ValueError("no conversation's id")
            claims = [lost.claim for lost in self._lost if lost.claim.conversation_id == conversation_id]
            if any(epoch <= claim.epoch for claim in claims):
                return None
            file = self._files[conversation_id] = self._new_file(conversation_id, epoch)
        return file if epoch >= file.claim.epoch else None

    def _new_file(self, conversation_id: str, epoch: int) -> JournalFile:
        claim = Claim(conversation_id, epoch, self._own_folder.name)
        return JournalFile(self._own_folder.file(conversation_id, epoch), claim)

    def _refuse(self, file: JournalFile) -> None:
        """Somebody else has its conversation."""
        self._writer.forget(file)
        conversation_id = file.claim.conversation_id
        if self._files.get(conversation_id) is file:
            self._lost.append(self._files.pop(conversation_id))
            logger.warning("conversation log: %s was taken over by another replica", conversation_id)
            self.on_superseded(conversation_id)

    async def _watch_node(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            newest = await asyncio.to_thread(self._journal.epochs)
            for file in list(self._files.values()):
                if newest.get(file.claim.conversation_id, 0) > file.claim.epoch:
                    self._refuse(file)

    async def _watch_store(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            claims = {file.claim: file for file in self._files.values()}
            if not claims:
                continue
            try:
                async with self._database.connection() as connection:
                    lost = await epochs.lost(connection, claims)
            except StoreError:  # the writer tells of it
                continue
            for claim in lost:
                if claims[claim].refused_at is None:
                    self._refuse(claims[claim])

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await asyncio.to_thread(self._remove, self._take_finished())
            await self._adoption.look()
            self._spool.others = await asyncio.to_thread(self._journal.size) - self._spool.used
            self._spool.complain()

    def _take_finished(self) -> list[JournalFile]:
        """The files that nobody needs any more, which are ours no more."""
        over = [
            file for file in self._files.values() if file.is_over and file.is_stored and not self._spool.holds(file)
        ]
        for file in over:
            del self._files[file.claim.conversation_id]
        worthless = [file for file in self._lost if file.may_go]
        self._lost = [file for file in self._lost if file not in worthless]
        self._spool.used -= sum(file.size for file in [*over, *worthless])
        return [*over, *worthless]

    def _remove(self, files: Sequence[JournalFile]) -> None:
        for file in files:
            file.remove()
            self._journal.give_back(file.claim.conversation_id, file.claim.epoch)

    def _leave(self, folder: Folder) -> None:
        self._remove(self._take_finished())
        for file in [*self._files.values(), *self._lost]:
            file.close()
        self._adoption.close()
        folder.close()


def _report_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("conversation log: its %s has died: %s", task.get_name(), type(error).__name__)


def _events(records: Sequence[Record]) -> list[LogEvent]:
    return [LogEvent(*of[:4], msgspec.json.decode(of.data), of.epoch) for of in records]


def _json(data: dict[str, Any]) -> bytes:
    text = msgspec.json.encode(data)
    return msgspec.json.encode(_storable(data)) if b"\\u0000" in text else text


def _storable(value: Any) -> Any:
    """jsonb holds no NUL, and a client's text may."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value
