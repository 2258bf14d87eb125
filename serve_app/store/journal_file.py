"""One conversation's events in a file: a line each, which its owner appends and whoever adopts it reads.

A line is the CRC-32 of what follows, a blank and a JSON array. A line that was cut off by a death or a full disk does
not check, and is passed over. Nothing is synced to the disk: what is written outlives the process, not the machine.
"""

import os
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from serve_app.store.epochs import Claim
from serve_app.store.projections import Record

READ_BYTES = 64 * 1024
SKIP_EVENTS = 200
KEEP_SECONDS = 60.0


class _Line(msgspec.Struct, array_like=True):
    sequence: int
    epoch: int
    at_unix: float
    kind: str
    data: msgspec.Raw


_decoder = msgspec.json.Decoder(_Line)


class _Started(msgspec.Struct):
    """Of an agent, by "started" and "transfer"."""

    resume: Any = None
    redact: list[str] = []


class Chunk(NamedTuple):
    """Records of a file, and the offset behind them."""

    file: "JournalFile"
    records: list[Record]
    end: int


def line(sequence: int, epoch: int, at_unix: float, kind: str, data: bytes) -> bytes:
    body = msgspec.json.encode(_Line(sequence, epoch, at_unix, kind, msgspec.Raw(data)))
    return b"%08x %b\n" % (crc32(body), body)


def line_of(record: Record) -> bytes:
    return line(record.sequence, record.epoch, record.at_unix, record.kind, record.data.encode())


def records(conversation_id: str, text: bytes) -> Iterator[Record]:
    """Of all whole lines."""
    return chain.from_iterable(_record(conversation_id, each) for each in text.split(b"\n")[:-1])


def _record(conversation_id: str, text: bytes) -> Iterator[Record]:
    """The line's record, if it is whole."""
    body = text[9:]
    if text[:9] == b"%08x " % crc32(body):
        of = _decoder.decode(body)
        yield Record(conversation_id, of.sequence, of.at_unix, of.kind, bytes(of.data).decode(), of.epoch)


def redacts(record: Record) -> frozenset[str]:
    """The kinds of personal data that are redacted in the conversation's record from this event on."""
    if record.kind not in ("started", "transfer"):
        return frozenset()
    return frozenset(msgspec.json.decode(record.data, type=_Started).redact)


class JournalFile:
    """`size` and `stored` are offsets, in bytes; `appended` and `settled` count events, those that wait in memory for
    the disk among them. Reading may happen in another thread, all else in one.
    """

    def __init__(self, path: Path, claim: Claim) -> None:
        self.path = path
        self.claim = claim
        self.size = 0
        self.stored = 0
        self.appended = 0
        self.settled = 0
        self.is_over = False  # "ended" is stored
        self.may_be_resumed = False
        self.redacts: frozenset[str] = frozenset()  # kinds of personal data, as far as it is stored
        self.refused_at: float | None = None  # time.monotonic(): somebody else had taken the conversation over
        self._fd = -1
        self._is_torn = False

    @classmethod
    def existing(cls, path: Path, claim: Claim) -> "JournalFile":
        """Raises OSError."""
        file = cls(path, claim)
        file._fd = os.open(path, os.O_RDONLY)
        file.size = os.fstat(file._fd).st_size
        file.appended = path.read_bytes().count(b"\n")
        return file

    def append(self, text: bytes) -> None:
        """Whole lines. Raises OSError if they are not all on the disk: they are to be appended again then."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        if self._is_torn:
            text = b"\n" + text
        written = os.write(self._fd, text)
        self.size += written
        self._is_torn = written < len(text)
        if self._is_torn:
            raise OSError(f"{written} of {len(text)} bytes written")

    def begin_with(self, records: Sequence[Record], stored: int) -> None:
        """Make the file, with these records from the start, so many of which are stored. Raises OSError: there is none
        then."""
        done, rest = (b"".join(map(line_of, part)) for part in (records[:stored], records[stored:]))
        for record in records[:stored]:
            self.redacts |= redacts(record)
        part = self.path.with_suffix(".part")
        self._fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.append(done + rest)
            part.rename(self.path)
        except OSError:
            part.unlink(missing_ok=True)
            self.close()
            self.size, self._is_torn = 0, False
            raise
        self.stored, self.settled, self.appended = len(done), stored, len(records)

    def read(self, limit: int) -> Chunk:
        """At most so many records, from `stored` on. Raises OSError."""
        left = self.size - self.stored
        if not left:
            return Chunk(self, [], self.stored)
        found: list[Record] = []
        text, begin = self._piece(left), 0
        while len(found) < limit and (end := text.find(b"\n", begin)) >= 0:
            found.extend(_record(self.claim.conversation_id, text[begin:end]))
            begin = end + 1
        return Chunk(self, found, self.stored + (begin or left))  # a rest without a line's end was cut off

    def skip(self, whole: int) -> None:
        """The first `whole` events are stored already; a few of them may be read again. Raises OSError."""
        while not self.is_stored:
            chunk = self.read(SKIP_EVENTS)
            if any(record.sequence >= whole for record in chunk.records):
                return
            for record in chunk.records:
                self.note(record)
            self.stored = chunk.end

    def note(self, record: Record) -> None:
        """It is stored, or will never be."""
        self.settled += 1
        self.redacts |= redacts(record)
        if record.kind == "started":
            self.may_be_resumed = msgspec.json.decode(record.data, type=_Started).resume is not None
        self.is_over = self.is_over or record.kind == "ended"

    @property
    def is_stored(self) -> bool:
        return self.stored >= self.size

    @property
    def may_go(self) -> bool:
        """It was refused, and whoever has taken its conversation over reads it no more."""
        return self.refused_at is not None and time.monotonic() - self.refused_at > KEEP_SECONDS

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _piece(self, left: int) -> bytes:
        """Of the `left` bytes that are not stored, so many that a whole line is among them, if there is one."""
        length = READ_BYTES
        while True:
            text = os.pread(self._fd, min(length, left), self.stored)
            if b"\n" in text or length >= left:
                return text
            length *= 4
