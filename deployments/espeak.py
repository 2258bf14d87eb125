"""The local voice: espeak-ng, in a child process."""

import asyncio
import importlib.util
import itertools
import re
import socket
import subprocess
import sys
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import numpy as np

from deployments import espeak_child
from deployments.espeak_child import Done, Failed, Reply, Say, Sound, Stop, frame
from deployments.spoken_text import SpokenText
from serve_app.audio.pcm import AudioFormat
from serve_app.audio.resample import Resampler
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import SpeechChunk, Voice

WORDS_PER_MINUTE = 165
CLAUSE_PAUSE_S = 0.12  # espeak-ng ends with the last sound; its own pause, when asked for, is 330 ms
FIRST_CHUNK_S = 0.06
CHUNK_S = 0.16

# espeak-ng makes a minute of speech in about 50 ms: a child that is silent for this long hangs.
PATIENCE_S = 5.0

# A name is part of a path inside the library, so nothing else may pass. ElevenLabs' ids (20 letters and digits) do not.
_VOICE_NAME = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*(\+[A-Za-z0-9]{1,16})?")
_NATIONAL_VOICES = {"pt": "pt-br", "en": "en-us"}
_LAST_RESORT = "en-us"


class EspeakVoice:
    """Speaks with espeak-ng. Construct it where its event loop runs, or before that loop starts.

    One child serves every caller: it is a thousand times faster than speech. If it dies, what it was asked for fails
    with SpeechError, and the next clause gets a new child.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise ConfigurationError("the local voice needs espeak-ng: pip install espeakng-loader")
        self._child = _Process()

    def describe(self) -> str:
        return "espeak-ng (local voice)"

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """See `serve_app.ports.Speaker`. `voice.voice_id` may be a name of espeak-ng's, like "pt-br+f2"."""
        clause = _Clause(text, _parse_format(voice.agent_output_audio_format))
        printable = _printable(text)
        if not printable.strip():
            return
        if self._child.dead:
            self._child.close()
            self._child = _Process()
        names = espeak_voices(language, voice.voice_id)
        async with self._child.asked(printable, names, round(WORDS_PER_MINUTE * voice.speed)) as replies:
            while isinstance(sound := await replies.next(), Sound):
                for chunk in clause.add(sound):
                    yield chunk
        for chunk in clause.end():
            yield chunk

    async def aclose(self) -> None:
        self._child.close()


def espeak_voices(language: str, voice_id: str) -> tuple[str, ...]:
    """espeak-ng's names for what was asked for, best first: the first that it has is used."""
    language = language.lower()
    base = language.partition("-")[0]
    names = (voice_id, _NATIONAL_VOICES.get(base, language), base, _LAST_RESORT)
    return tuple(name for name in names if _VOICE_NAME.fullmatch(name))


def _parse_format(name: str) -> AudioFormat:
    try:
        return AudioFormat.parse(name)
    except ValueError as e:
        raise SpeechError(str(e)) from e


def _printable(text: str) -> str:
    """Control characters and lone surrogates become spaces: as many characters as before, so positions still hold."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in text)


class _Clause:
    """Cuts the sound of one clause into chunks, each with the characters that sound in it.

    A chunk leaves when the word after it is known, since until then nothing says when its last word ends.
    """

    def __init__(self, text: str, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._spoken = SpokenText(text)
        self._resampler = Resampler(espeak_child.SAMPLE_RATE, audio_format.rate)
        self._heard = 0  # samples at espeak-ng's rate
        self._ready = np.empty(0, np.int16)
        self._cut_ms = 0.0

    def add(self, sound: Sound) -> Iterator[SpeechChunk]:
        for index, sample in sound.words:
            self._spoken.word_begins(index, sample * 1000 / espeak_child.SAMPLE_RATE)
        samples = np.frombuffer(sound.pcm, "<i2").astype(np.int16)
        self._heard += len(samples)
        self._ready = np.concatenate([self._ready, self._resampler.process(samples)])
        while self._samples_ready() and self._cut_ms + self._next_s() * 1000 <= self._spoken.timed_until_ms:
            yield self._cut()

    def end(self) -> Iterator[SpeechChunk]:
        if not self._heard:
            return
        self._spoken.ends(self._heard * 1000 / espeak_child.SAMPLE_RATE)
        pause = np.zeros(round(CLAUSE_PAUSE_S * self._format.rate), np.int16)
        self._ready = np.concatenate([self._ready, self._resampler.flush(), pause])
        while len(self._ready):
            yield self._cut()

    def _next_s(self) -> float:
        return CHUNK_S if self._cut_ms else FIRST_CHUNK_S

    def _samples_ready(self) -> bool:
        return len(self._ready) >= round(self._next_s() * self._format.rate)

    def _cut(self) -> SpeechChunk:
        size = round(self._next_s() * self._format.rate)
        samples, self._ready = self._ready[:size], self._ready[size:]
        start_ms = self._cut_ms
        self._cut_ms += len(samples) * 1000 / self._format.rate
        return SpeechChunk(self._format.encode(samples), self._spoken.take(start_ms, self._cut_ms))


class _Replies:
    """What the child answers to one request."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Reply | None] = asyncio.Queue()

    def put(self, reply: Reply | None) -> None:
        """Take the next answer; None: the child died."""
        self._queue.put_nowait(reply)

    async def next(self) -> Sound | Done:
        # A queue that holds something does not suspend: without this, a long clause would keep the loop to itself.
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            reply = await self._queue.get()
        if reply is None:
            raise SpeechError("the local voice stopped working; the next clause starts it again")
        if isinstance(reply, Failed):
            raise SpeechError(f"the local voice failed: {reply.reason}")
        return reply


class _Process:
    """One child process, and who waits for which of its replies."""

    def __init__(self) -> None:
        # A socket, not asyncio's subprocess: it needs no running loop, and no thread or signal to watch the child.
        self._socket, theirs = socket.socketpair()
        with theirs:
            # By path and with -P, so that it starts from any folder. A session of its own spares it Ctrl-C:
            # it ends when its socket does.
            command = [sys.executable, "-P", espeak_child.__file__]
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
            )
        self._connection: asyncio.Task[asyncio.StreamWriter] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._numbers = itertools.count()
        self._waiting: dict[int, _Replies] = {}
        self.dead = False

    @asynccontextmanager
    async def asked(self, text: str, voices: tuple[str, ...], rate: int) -> AsyncIterator[_Replies]:
        """Speak `text` at `rate` words a minute. On leaving, what is still to come of it is stopped and dropped."""
        writer = await self._connected()
        number = next(self._numbers)
        replies = self._waiting[number] = _Replies()
        writer.write(frame(Say(number, text, voices, rate)))
        try:
            yield replies
        except TimeoutError as e:
            self.close()
            raise SpeechError(f"the local voice hung for {PATIENCE_S:g} s; the next clause starts it again") from e
        finally:
            del self._waiting[number]
            if not self.dead:
                writer.write(frame(Stop(number)))

    async def _connected(self) -> asyncio.StreamWriter:
        if self._connection is None:
            self._connection = asyncio.create_task(self._connect())
        # Shared: a caller who leaves while it is made must not take it from the others.
        return await asyncio.shield(self._connection)

    async def _connect(self) -> asyncio.StreamWriter:
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        self._reading = asyncio.create_task(self._read(reader))
        return self._writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = msgspec.msgpack.Decoder(Reply)
        try:
            while True:
                length = await reader.readexactly(espeak_child.LENGTH_BYTES)
                reply = decoder.decode(await reader.readexactly(int.from_bytes(length, "big")))
                if replies := self._waiting.get(reply.request):
                    replies.put(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the child is gone; those who wait are told below
        finally:
            self.dead = True
            for replies in self._waiting.values():
                replies.put(None)

    def close(self) -> None:
        """End the child. It is gone when this returns, within a millisecond or so."""
        self.dead = True
        self._process.kill()
        self._process.wait()
        if self._reading:
            self._reading.cancel()
        if self._writer:
            self._writer.close()
        else:
            self._socket.close()
