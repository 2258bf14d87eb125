"""Segments while they are recorded: PCM in files of this node, which outlive the process that writes them."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from serve_app.errors import ConfigurationError
from serve_app.recordings.segments import Segment

RESERVED_BYTES = 512 * 1024 * 1024
"""Of the disk, which recordings leave to others: conversations are kept there until PostgreSQL has them."""


class LiveFile(NamedTuple):
    conversation_id: str
    segment: Segment

    @property
    def name(self) -> str:
        return f"{self.conversation_id}.{self.segment.name}.pcm"

    @staticmethod
    def parse(name: str) -> "LiveFile | None":
        conversation_id, _, rest = name.partition(".")
        segment = Segment.parse(rest.removesuffix(".pcm"))
        return LiveFile(conversation_id, segment) if segment and rest.endswith(".pcm") else None


class LiveFolder:
    """All replicas of a node share one. A file is locked while it is written: who can lock it may take it away, since
    it is whole or its writer is dead. Everything may raise OSError; making one, ConfigurationError.
    """

    def __init__(self, folder: Path, *, reserved_bytes: int = RESERVED_BYTES) -> None:
        self._folder = folder
        self._reserved_bytes = reserved_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as e:
            raise ConfigurationError(f"recordings cannot be kept in {folder}: {e.strerror}") from e

    def create(self, file: LiveFile) -> BinaryIO:
        """A new file, locked until it is closed. ENOSPC already when the disk is nearly full."""
        if shutil.disk_usage(self._folder).free < self._reserved_bytes:
            raise OSError(errno.ENOSPC, f"less than {self._reserved_bytes >> 20} MiB are left on the disk")
        while True:
            stream = self._path(file).open("xb")
            fcntl.flock(stream, fcntl.LOCK_EX)
            if self.holds(file):
                return stream
            stream.close()  # it was taken away before it was locked

    def files(self, conversation_id: str | None = None) -> list[LiveFile]:
        """Of one conversation, or all."""
        found = filter(None, map(LiveFile.parse, os.listdir(self._folder)))
        return [file for file in found if conversation_id in (None, file.conversation_id)]

    def holds(self, file: LiveFile) -> bool:
        return self._path(file).exists()

    def read(self, file: LiveFile) -> bytes:
        """What is there so far: s16le, and half a sample if the disk was full. FileNotFoundError: it was taken away."""
        return self._path(file).read_bytes()

    def remove(self, file: LiveFile) -> None:
        self._path(file).unlink(missing_ok=True)

    @contextmanager
    def unused(self, file: LiveFile) -> Iterator[bool]:
        """Whether nobody writes to it. If so, nobody else takes it away either while the block runs."""
        with ExitStack() as opened:
            try:
                stream = opened.enter_context(self._path(file).open("rb"))
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = self.holds(file)
            except (FileNotFoundError, BlockingIOError):
                locked = False
            yield locked

    def _path(self, file: LiveFile) -> Path:
        return self._folder / file.name
