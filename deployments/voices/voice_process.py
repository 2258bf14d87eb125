"""The server's side of a voice in a process of its own: see `voice_child`."""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from deployments.voices import voice_child
from deployments.voices.voice_child import Done, Failed, Ready, Reply, Say, Sound, Stop, frame, read_frame
from serve_app.errors import SpeechError

START_S = 30.0
"""Python, the library and its voice may have to come from a slow disk."""

_TICKS = 4
_ROOT = Path(__file__).parents[2]
_decoder = msgspec.msgpack.Decoder(Reply)


class Program(NamedTuple):
    """`patience_s`: a child that is asked and silent for longer hangs."""

    module: str
    patience_s: float
    arguments: tuple[str, ...] = ()


class Asked:
    """What the child answers to one request. `sample_rate` is that of its sound."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._queue: asyncio.Queue[Reply] = asyncio.Queue()

    def put(self, reply: Reply) -> None:
        self._queue.put_nowait(reply)

    async def next(self) -> Sound | None:
        """None: that was all. Raises SpeechError."""
        # A queue that holds something does not suspend: without this, a long clause would keep the loop to itself.
        await asyncio.sleep(0)
        reply = await self._queue.get()
        if isinstance(reply, Failed):
            raise SpeechError(f"the local voice failed: {reply.reason}")
        return reply if isinstance(reply, Sound) else None


class VoiceProcess:
    """A voice's child, whichever it is now: if one dies or hangs, what it was asked for fails, and the next clause gets
    a new one.

    Construct it where its event loop runs, or before that loop starts.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._child = _Child(program)

    def wait(self) -> None:
        """Block until the child is ready, before the event loop has had to do with it. Raises SpeechError."""
        self._child.wait()

    async def warm(self) -> None:
        """Return when the child is ready, or cannot be: then the first clause will try again, and say so."""
        try:
            await self._living().connected()
        except SpeechError:
            pass

    @asynccontextmanager
    async def asked(self, text: str, voices: tuple[str, ...], speed: float) -> AsyncIterator[Asked]:
        """Speak. On leaving, what is still to come of it is stopped and dropped. Raises SpeechError."""
        async with self._living().asked(text, voices, speed) as asked:
            yield asked

    def close(self) -> None:
        """End the child. It is gone when this returns, within a millisecond or so."""
        self._child.close()

    def _living(self) -> "_Child":
        if self._child.dead:
            self._child.close()
            try:
                self._child = _Child(self._program)
            except OSError as e:
                raise SpeechError("the local voice cannot be started") from e
        return self._child


class _Child:
    """One process, and who waits for which of its replies."""

    def __init__(self, program: Program) -> None:
        # A socket, not asyncio's subprocess: it needs no running loop, and no thread or signal to watch the child.
        self._socket, theirs = socket.socketpair()
        with theirs:
            # From our own root and with -P, so that it starts from any folder. A session of its own spares it Ctrl-C:
            # it ends when its socket does.
            path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
            command = [sys.executable, "-P", "-m", program.module, *program.arguments]
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,
            )
        self._patience_s = program.patience_s
        self._ready: Ready | None = None
        self._connection: asyncio.Task[tuple[asyncio.StreamWriter, Ready]] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._numbers = itertools.count()
        self._waiting: dict[int, Asked] = {}
        self._unanswered: set[int] = set()
        self._heard = False
        self._end = "it ended"
        self.dead = False

    def wait(self) -> None:
        self._socket.settimeout(START_S)
        try:
            with self._socket.makefile("rb") as stream:
                self._ready = _greeting(read_frame(stream))
        except TimeoutError as e:
            raise SpeechError(f"the local voice does not start within {START_S:g} s") from e

    @asynccontextmanager
    async def asked(self, text: str, voices: tuple[str, ...], speed: float) -> AsyncIterator[Asked]:
        writer, ready = await self.connected()
        number = next(self._numbers)
        asked = self._waiting[number] = Asked(ready.sample_rate)
        self._unanswered.add(number)
        writer.write(frame(Say(number, text, voices, speed)))
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield asked
        finally:
            del self._waiting[number]
            if not self.dead:
                writer.write(frame(Stop(number)))

    async def connected(self) -> tuple[asyncio.StreamWriter, Ready]:
        if self._connection is None:
            self._connection = asyncio.create_task(self._connect())
        # Shared: a caller who leaves while it is made must not take it from the others.
        connection = await asyncio.shield(self._connection)
        if self.dead:
            raise SpeechError(f"the local voice failed: {self._end}")
        return connection

    async def _connect(self) -> tuple[asyncio.StreamWriter, Ready]:
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        try:
            async with asyncio.timeout(START_S):
                ready = self._ready or _greeting(await _frame(reader))
        except (TimeoutError, SpeechError) as e:
            self.close()
            raise SpeechError("the local voice does not start") from e
        self._reading = asyncio.create_task(self._read(reader))
        return self._writer, ready

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (body := await _frame(reader)) is not None:
                self._take(_decoder.decode(body))
        finally:
            self.dead = True
            self._unanswered.clear()
            for asked in self._waiting.values():
                asked.put(Failed(None, f"{self._end}; the next clause starts it again"))

    def _take(self, reply: Reply) -> None:
        self._heard = True
        if isinstance(reply, Done | Failed) and reply.request is not None:
            self._unanswered.discard(reply.request)
        if not isinstance(reply, Ready) and reply.request in self._waiting:
            self._waiting[reply.request].put(reply)

    async def _watch(self) -> None:
        """End a child that is asked and says nothing.

        By ticks: a loop that was held up misses some, and must not take that for the child's silence. By the child, not
        by the request: it may be busy with the others.
        """
        quiet = 0
        while self._unanswered:
            self._heard = False
            await asyncio.sleep(self._patience_s / _TICKS)
            quiet = 0 if self._heard else quiet + 1
            if quiet == _TICKS:
                self._end = f"it hung for {self._patience_s:g} s"
                self.close()
                break

    def close(self) -> None:
        self.dead = True
        self._process.kill()
        self._process.wait()
        for task in (self._reading, self._watching):
            if task:
                task.cancel()
        if self._writer:
            self._writer.close()
        else:
            self._socket.close()


async def _frame(reader: asyncio.StreamReader) -> bytes | None:
    """`voice_child.read_frame`, of a stream."""
    try:
        length = await reader.readexactly(voice_child.LENGTH_BYTES)
        return await reader.readexactly(int.from_bytes(length, "big"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _greeting(body: bytes | None) -> Ready:
    """The first thing a child says. Raises SpeechError."""
    if body is None:
        raise SpeechError("the local voice ended as soon as it started")
    greeting = _decoder.decode(body)
    if isinstance(greeting, Ready):
        return greeting
    raise SpeechError(greeting.reason if isinstance(greeting, Failed) else "the local voice does not greet")
