"""The journals of replicas that have died on this node: stored, and their conversations ended if nobody goes on."""

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from serve_app.errors import StoreError
from serve_app.ports import ConversationLog, LogEvent
from serve_app.store import events
from serve_app.store.database import Database
from serve_app.store.journal import Folder, Journal
from serve_app.store.journal_file import JournalFile
from serve_app.store.writer import Writer

RESUME_SECONDS = 65.0  # a client comes back for 60 s
ANSWER_SECONDS = 5.0
REASON = "the server process that held it died"

logger = logging.getLogger(__name__)


class _Orphan(NamedTuple):
    folder: Folder
    files: list[JournalFile]
    since: float  # time.monotonic()


class Adoption:
    """Call `look` every second. Whoever has an orphan's lock looks after it to the end; should that one die too, the
    lock is free again."""

    def __init__(self, log: ConversationLog, database: Database, journal: Journal, writer: Writer) -> None:
        self._log = log
        self._database = database
        self._journal = journal
        self._writer = writer
        self._orphans: dict[str, _Orphan] = {}

    async def look(self) -> None:
        for orphan in await asyncio.to_thread(self._found):
            self._orphans[orphan.folder.name] = orphan
            if orphan.files:
                logger.warning("conversation log: %d conversations of a replica that is gone", len(orphan.files))
            await self._skip_stored(orphan.files)
            for file in orphan.files:
                self._writer.add(file)
        newest = await asyncio.to_thread(self._journal.newest_files) if self._orphans else {}
        for orphan in list(self._orphans.values()):
            await self._look_after(orphan, newest)

    def close(self) -> None:
        for orphan in self._orphans.values():
            for file in orphan.files:
                file.close()
            orphan.folder.close()

    def _found(self) -> list[_Orphan]:
        known = {self._writer.owner, *self._orphans}
        names = [name for name in self._journal.replicas() if name not in known]
        return [orphan for name in names if (orphan := self._adopted(name))]

    def _adopted(self, name: str) -> _Orphan | None:
        folder = self._journal.orphan(name)
        if folder is None:
            return None
        try:
            files = [JournalFile.existing(path, claim) for path, claim in folder.files()]
        except OSError:  # too many open files: another time, or another replica
            os.close(folder.lock)
            return None
        return _Orphan(folder, files, time.monotonic())

    async def _skip_stored(self, files: Sequence[JournalFile]) -> None:
        """Storing them again would do no harm, and take long: most of what a file has is in PostgreSQL."""
        names = [file.claim.conversation_id for file in files]
        try:
            whole = await self._database.ask(lambda connection: events.whole(connection, names), ANSWER_SECONDS)
            for file in files:
                await asyncio.to_thread(file.skip, whole.get(file.claim.conversation_id, 0))
        except (StoreError, OSError):  # then nothing is skipped
            pass

    async def _look_after(self, orphan: _Orphan, newest: dict[str, int]) -> None:
        for file in list(orphan.files):
            if await self._is_done(file, orphan.since, newest):
                orphan.files.remove(file)
                await asyncio.to_thread(self._remove, file)
        if not orphan.files:
            del self._orphans[orphan.folder.name]  # first: broken off after it, this would close the folder twice
            await asyncio.to_thread(orphan.folder.close)

    def _remove(self, file: JournalFile) -> None:
        file.remove()
        self._journal.give_back(file.claim.conversation_id, file.claim.epoch)

    async def _is_done(self, file: JournalFile, since: float, newest: dict[str, int]) -> bool:
        if file.refused_at is not None:
            return file.may_go
        if not file.is_stored:
            return False
        if file.is_over or newest.get(file.claim.conversation_id, 0) > file.claim.epoch:
            return True
        return time.monotonic() - since > (RESUME_SECONDS if file.may_be_resumed else 0.0) and await self._end(file)

    async def _end(self, file: JournalFile) -> bool:
        """End a conversation that nobody goes on with. False: not yet."""
        conversation_id = file.claim.conversation_id
        try:
            known = await self._log.events(conversation_id)
            if not known or any(event.kind == "ended" for event in known):
                return True
            if known[0].data.get("resume") and not file.may_be_resumed:  # that was not in the file
                file.may_be_resumed = True
                return False
            epoch = file.claim.epoch
            if known[-1].epoch == epoch and await self._log.take_over(conversation_id, epoch + 1):
                self._log.append(_ended(await self._log.events(conversation_id)))
                return True
        except StoreError:
            return False
        file.refused_at = time.monotonic()  # somebody else goes on with it, perhaps on another node
        return False


def _ended(known: list[LogEvent]) -> LogEvent:
    *before, last = known
    heard_of = before[-1] if before else last
    data = {
        "reason": REASON,
        "close_code": 1011,
        "duration_secs": round(max(0.0, heard_of.at_unix - known[0].at_unix), 3),
        "status": "failed",
        "error": {"code": 1011, "error_type": "unknown", "message": REASON},
    }
    return LogEvent(last.conversation_id, last.sequence + 1, heard_of.at_unix, "ended", data, last.epoch)
