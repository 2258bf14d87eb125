"""Places that all processes of a node share, counted without a server: each is one byte of a file, locked.

Its owner may die however it likes: the kernel lets go of the lock.
"""

import fcntl
import hashlib
import os
import struct
from pathlib import Path

from serve_app.errors import ConfigurationError

MOST_PLACES = 1 << 20
"""In one room: the bytes that are its own."""
ROOMS = 1 << 42
"""So the file has 2^62 bytes, none of them written; an off_t counts to 2^63. That two of 1,000 names share a room has a
chance of one in ten million."""
FLOCK = "hhqqi"
"""struct flock (fcntl_locking(2)): type, whence, start, length, pid, which is 0 for locks that belong to open files."""


class Places:
    """Of the processes that open the same `path`. A room has a name, and as many places as whoever asks allows.

    Raises ConfigurationError when there can be no such file.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise ConfigurationError(f"cannot count conversations in {path}: {e.strerror}") from e
        self._ours: set[int] = set()

    def take(self, room: str, most: int) -> int | None:
        """A place of the room, for `free`, or None when `most` are taken.

        Two processes that want the last place at once never both get it.
        """
        if self.taken(room) >= most:
            return None
        start = _start(room)
        for place in range(start, start + most):
            if place not in self._ours and self._lock(fcntl.F_WRLCK, place):
                self._ours.add(place)
                return place
        return None

    def free(self, place: int) -> None:
        self._ours.discard(place)
        self._lock(fcntl.F_UNLCK, place)

    def taken(self, room: str) -> int:
        """By anybody."""
        start = _start(room)
        ours = sum(start <= place < start + MOST_PLACES for place in self._ours)
        return ours + self._others(start, start + MOST_PLACES)

    def close(self) -> None:
        """All of ours are free."""
        os.close(self._file)

    def _lock(self, kind: int, place: int) -> bool:
        """False: somebody else has it."""
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, struct.pack(FLOCK, kind, os.SEEK_SET, place, 1, 0))
        except BlockingIOError:
            return False
        return True

    def _others(self, start: int, end: int) -> int:
        """How many bytes from `start` to `end` others have locked. The kernel tells of any one run of them."""
        if start >= end:
            return 0
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, end - start, 0)
        kind, _, first, length, _ = struct.unpack(FLOCK, fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, asked))
        if kind == fcntl.F_UNLCK:
            return 0
        return int(length) + self._others(start, first) + self._others(first + length, end)


def _start(room: str) -> int:
    """The first byte of a room."""
    return int.from_bytes(hashlib.sha256(room.encode()).digest()) % ROOMS * MOST_PLACES
