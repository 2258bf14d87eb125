"""All recordings, finished or not: to be read, deleted, and brought into the archive."""

import asyncio
import logging
import re
from collections.abc import Iterator
from functools import partial

import numpy as np

from serve_app.audio.pcm import Samples
from serve_app.errors import StoreError
from serve_app.recordings.archive import Archive
from serve_app.recordings.codecs import flac, flac_samples
from serve_app.recordings.live import LiveFile, LiveFolder
from serve_app.recordings.mixing import Mix
from serve_app.recordings.segments import Segment

TIDY_EVERY_S = 5.0

_CONVERSATION_ID = re.compile(r"[\w-]+", re.ASCII)  # anything else could be a path

logger = logging.getLogger(__name__)


class Library:
    """One per replica. What raises StoreError says so; what is not a coroutine blocks, and is for threads."""

    def __init__(self, live: LiveFolder, archive: Archive) -> None:
        self._live = live
        self._archive = archive

    async def open(self, conversation_id: str) -> Mix | None:
        """As far as it is recorded by now. None: there is none. Raises StoreError; so does the mix, where it reads."""
        segments = await asyncio.to_thread(self.segments, conversation_id)
        return Mix(segments, partial(self.samples, conversation_id)) if segments else None

    async def exists(self, conversation_id: str) -> bool:
        """Raises StoreError."""
        return bool(await asyncio.to_thread(self.segments, conversation_id))

    async def delete(self, conversation_id: str) -> None:
        """Of a conversation that is over. Nothing of it is left then. Raises StoreError."""
        await asyncio.to_thread(self._delete, conversation_id)

    async def run(self) -> None:
        """Archive what is finished, for ever, also what a replica that is dead has left on this node."""
        away = False
        while True:
            try:
                await asyncio.to_thread(self.tidy)
                away = False
            except (StoreError, OSError) as e:
                if not away:
                    logger.warning("recordings stay on this node's disk for now: %s", e)
                away = True
            await asyncio.sleep(TIDY_EVERY_S)

    def segments(self, conversation_id: str) -> list[Segment]:
        """All there are, in no order. Raises StoreError."""
        if not _CONVERSATION_ID.fullmatch(conversation_id):
            return []
        live = {file.segment for file in self._live.files(conversation_id)}  # first: from here they move there
        return list(live.union(self._archive.segments(conversation_id)))

    def samples(self, conversation_id: str, segment: Segment) -> Iterator[Samples]:
        """In pieces; none if it is gone. Raises StoreError."""
        try:
            pcm = self._live.read(LiveFile(conversation_id, segment))
        except FileNotFoundError:
            data = self._archive.get(conversation_id, segment)
            return flac_samples(data) if data else iter(())
        return iter([_samples(pcm)])

    def tidy(self) -> None:
        """Raises StoreError, OSError."""
        for file in self._live.files():
            with self._live.unused(file) as unused:
                if unused:
                    self._archive_one(file)

    def _archive_one(self, file: LiveFile) -> None:
        if len(samples := _samples(self._live.read(file))):
            self._archive.put(*file, flac(samples))
        if not self._live.holds(file):  # the conversation has been deleted meanwhile
            self._archive.delete(file.conversation_id, [file.segment])
        self._live.remove(file)

    def _delete(self, conversation_id: str) -> None:
        if not _CONVERSATION_ID.fullmatch(conversation_id):
            return
        for file in self._live.files(conversation_id):
            self._live.remove(file)
        self._archive.delete(conversation_id, self._archive.segments(conversation_id))


def _samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
