"""A replica's own journal files, as they are written: what the disk refuses waits in memory, what is too much goes.

The disk is tried again later. In the meantime events wait in memory in one order for all conversations, so that each
one's is kept; PostgreSQL takes them from there as well.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice

from serve_app.store import journal_file
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record

DISK_BYTES = 1024**3  # of all replicas of the node together
MEMORY_BYTES = 16 * 1024**2
DISK_RETRY_SECONDS = 1.0
DROPS_SAID_SECONDS = 60.0

Waiting = tuple[JournalFile, bytes]

logger = logging.getLogger(__name__)


class Spool:
    """`dropped` counts events that found no room, `used` the bytes that this replica has on the disk; `others` is for
    its owner to keep up to date. The last half of all room is not for audio spans: they are the bulk of the events, and
    what was said is worth more.
    """

    def __init__(self, *, disk_bytes: int = DISK_BYTES, memory_bytes: int = MEMORY_BYTES) -> None:
        self._disk_bytes = disk_bytes
        self._memory_bytes = memory_bytes
        self._waiting: deque[Waiting] = deque()
        self._count: Counter[JournalFile] = Counter()
        self._retry_at: float | None = None  # the disk refuses
        self._said_at = -DROPS_SAID_SECONDS
        self._said = 0
        self.dropped = 0
        self.used = 0
        self.others = 0
        self.waiting_bytes = 0

    def append(self, file: JournalFile, kind: str, line: bytes) -> bool:
        """Whether there was room."""
        if self._waiting or (self._retry_at is not None and time.monotonic() < self._retry_at):
            kept = self._wait(file, kind, line)
        elif not _fits(kind, self.used + self.others + len(line), self._disk_bytes):
            kept = False
        else:
            kept = self._write(file, line) or self._wait(file, kind, line)
        if kept:
            file.appended += 1
        else:
            self.dropped += 1
        return kept

    def begun(self, file: JournalFile) -> None:
        """It is on the disk already."""
        self.used += file.size

    def remove(self, file: JournalFile) -> None:
        """Nobody needs it any more."""
        self.drop(file)
        self.used -= file.size
        file.remove()

    def records(self, conversation_id: str) -> list[Record]:
        """What waits of it in memory."""
        lines = [line for file, line in self._waiting if file.claim.conversation_id == conversation_id]
        return [record for line in lines for record in journal_file.records(conversation_id, line)]

    def retry(self) -> None:
        """Bring to the disk what waits for it, if it is time to try."""
        if self._retry_at is None or time.monotonic() < self._retry_at:
            return
        while self._waiting and self._write(*self._waiting[0]):
            self.forget([self._waiting[0]])

    def waiting(self, limit: int) -> Sequence[Waiting]:
        """The first ones of those in memory."""
        return list(islice(self._waiting, limit))

    def holds(self, file: JournalFile) -> bool:
        """Whether something of it waits in memory."""
        return file in self._count

    def forget(self, done: Sequence[Waiting]) -> None:
        """These of the first ones are stored, or on the disk."""
        for each in done:
            if self._waiting and self._waiting[0] is each:  # else it was dropped meanwhile
                self._leave(self._waiting.popleft())

    def drop(self, file: JournalFile) -> None:
        """What waits of this file is worth nothing any more."""
        if self.holds(file):
            for each in [each for each in self._waiting if each[0] is file]:
                self._leave(each)
            self._waiting = deque(each for each in self._waiting if each[0] is not file)

    def _leave(self, each: Waiting) -> None:
        file, line = each
        self.waiting_bytes -= len(line)
        self._count[file] -= 1
        if not self._count[file]:
            del self._count[file]

    @property
    def is_on_disk(self) -> bool:
        return self._retry_at is None

    def complain(self) -> None:
        """Say now and then what was dropped."""
        now = time.monotonic()
        if self.dropped > self._said and now - self._said_at >= DROPS_SAID_SECONDS:
            logger.error("conversation log: no room in the journal: %d events were dropped so far", self.dropped)
            self._said, self._said_at = self.dropped, now

    def _write(self, file: JournalFile, line: bytes) -> bool:
        before = file.size
        try:
            file.append(line)
        except OSError as e:
            self._refused(e)
            return False
        finally:
            self.used += file.size - before
        if self._retry_at is not None:
            logger.warning("conversation log: the journal's disk takes events again")
            self._retry_at = None
        return True

    def _refused(self, error: OSError) -> None:
        if self._retry_at is None:
            why = error.strerror or "it is full"
            logger.error("conversation log: the journal's disk refuses events, which wait in memory for now: %s", why)
        self._retry_at = time.monotonic() + DISK_RETRY_SECONDS

    def _wait(self, file: JournalFile, kind: str, line: bytes) -> bool:
        if not _fits(kind, self.waiting_bytes + len(line), self._memory_bytes):
            return False
        self._waiting.append((file, line))
        self._count[file] += 1
        self.waiting_bytes += len(line)
        return True


def _fits(kind: str, used: int, room: int) -> bool:
    return used <= (room // 2 if kind == "audio" else room)
