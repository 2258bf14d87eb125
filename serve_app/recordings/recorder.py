"""Records calls while they run: the event loop takes notes, a thread writes them down."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.recordings.live import LiveFolder
from serve_app.recordings.tape import Cut, FromAgent, FromCaller, Note, Tape

WRITE_EVERY_S = 0.25
"""A process that dies takes this much with it, and of the voice what is held for interruptions: less than a second."""
LONGEST_BACKLOG = 1024 * 1024
"""Bytes of one call that wait for a slow disk; what comes beyond is left out. Who comes back sends 320 kB at once."""

logger = logging.getLogger(__name__)


class CallTake:
    """Implements `ports.Take`."""

    def __init__(self, recorder: "DiskRecorder", tape: Tape, conversation_id: str) -> None:
        self.tape = tape
        self._recorder = recorder
        self._id = conversation_id
        self._notes: list[Note] = []
        self._backlog = 0
        self._lagged = False

    def caller(self, at: int, samples: Samples) -> None:
        if self._fits(samples.nbytes):
            self._notes.append(FromCaller(at, samples))

    def agent(self, at: int, audio: bytes) -> None:
        if self._fits(len(audio)):
            self._notes.append(FromAgent(at, audio))

    def cut(self, at: int) -> None:
        if self._fits(0):
            self._notes.append(Cut(at))

    async def close(self) -> None:
        await self._recorder.finish(self)

    def notes(self) -> Sequence[Note]:
        """Those that have come since the last time."""
        notes, self._notes, self._backlog = self._notes, [], 0
        return notes

    def _fits(self, size: int) -> bool:
        if self.tape.failed:
            return False
        self._backlog += size
        if self._backlog <= LONGEST_BACKLOG:
            return True
        if not self._lagged:
            logger.error("the recording of conversation %s has gaps: the disk does not keep up", self._id)
            self._lagged = True
        return False


class DiskRecorder:
    """Implements `ports.Recorder`. One per replica; call everything from one event loop."""

    def __init__(self, live: LiveFolder) -> None:
        self._live = live
        self._takes: set[CallTake] = set()
        self._thread = ThreadPoolExecutor(1, "recorder")

    def begin(self, conversation_id: str, voice: AudioFormat, *, epoch: int = 0) -> CallTake:
        take = CallTake(self, Tape(self._live, conversation_id, epoch, voice), conversation_id)
        self._takes.add(take)
        return take

    async def run(self) -> None:
        """Write down, for ever, what the takes have noted."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            work = [(take.tape, take.notes()) for take in self._takes]
            await asyncio.get_running_loop().run_in_executor(self._thread, _write, work)

    async def finish(self, take: CallTake) -> None:
        if take in self._takes:
            self._takes.remove(take)
            await asyncio.get_running_loop().run_in_executor(self._thread, take.tape.close, take.notes())

    async def aclose(self) -> None:
        for take in list(self._takes):
            await self.finish(take)
        self._thread.shutdown()


def _write(work: Sequence[tuple[Tape, Sequence[Note]]]) -> None:
    for tape, notes in work:
        tape.write(notes)
