"""One socket of `multi-stream-input`: several clauses side by side, each in a context of its own.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from deployments.voices.elevenlabs_generations import Generations
from deployments.voices.elevenlabs_wire import Closings, Reply, decode_reply, translated
from serve_app.ports import SpeechChunk

MOST_CONTEXTS = 4
"""ElevenLabs closes the socket for a sixth one that is live."""

OVERDUE_S = 0.8
"""A context that has heard nothing for so long makes its socket suspect: it gets no more of them."""
LOST_S = 5.0
"""And after so long that socket is closed: with it ends whatever still counts as live."""


class Context:
    """One clause on a socket. It counts as live until ElevenLabs says that it is final, whoever still listens."""

    def __init__(self, id: str, now: float) -> None:
        self.id = id
        self.heard_at = now
        self.left = False
        self.replies: asyncio.Queue[Reply | Exception] = asyncio.Queue()


class ContextSocket:
    """Speaks clauses over `connection` until either side closes it."""

    _ids = itertools.count(1)  # never used twice: late audio of one clause must not be heard in another

    def __init__(self, connection: ClientConnection, generations: Generations, closings: Closings) -> None:
        self._connection = connection
        self._generations = generations
        self._closings = closings
        self._contexts: dict[str, Context] = {}
        self._clock = asyncio.get_running_loop().time
        self._reading = asyncio.create_task(self._read())
        self._accepts = True
        self.used_at = self._clock()
        self.open = True
        self.has_spoken = False

    @property
    def live(self) -> int:
        return len(self._contexts)

    def has_room(self) -> bool:
        return self.open and self._accepts and self.live < MOST_CONTEXTS and self._quiet_s() < OVERDUE_S

    def is_lost(self) -> bool:
        return self._quiet_s() > LOST_S

    def begin(self) -> Context:
        """Take a place, which `has_room` has promised. It is to be spoken in, which gives it back."""
        self.used_at = self._clock()
        context = Context(f"c{next(self._ids)}", self.used_at)
        self._contexts[context.id] = context
        return context

    async def speak(self, context: Context, text: str, settings: dict[str, float]) -> AsyncGenerator[SpeechChunk, None]:
        """The whole text is known, so the context is closed with it: ElevenLabs speaks what was flushed, and only for
        a closed context says that it is final. Leaving sends nothing more, and what still comes is dropped.

        Raises SpeechError.
        """
        id = {"context_id": context.id}
        try:
            await self._send(
                {"text": " ", "voice_settings": settings} | id,
                {"text": text, "flush": True} | id,
                {"close_context": True} | id,
            )
            final = False
            while not final:
                reply = await self._next(context)
                if reply.chunk:
                    yield reply.chunk
                final = bool(reply.is_final)
        finally:
            if context.id in self._contexts:
                context.left = True
                self._generations.linger()

    def end(self, failure: Exception) -> None:
        """Fail what is being spoken, and close."""
        if not self.open:
            return
        self.open = False
        for context in self._contexts.values():
            context.replies.put_nowait(failure)
            if context.left:
                self._generations.end()
        self._contexts.clear()
        self._closings.begin(self._close())

    async def _close(self) -> None:
        await self._connection.close()
        await self._reading

    def _quiet_s(self) -> float:
        now = self._clock()
        return max((now - context.heard_at for context in self._contexts.values()), default=0.0)

    async def _send(self, *messages: dict[str, Any]) -> None:
        try:
            for message in messages:
                await self._connection.send(msgspec.json.encode(message), text=True)
        except ConnectionClosed:
            pass  # what was received last says why, and is read next

    async def _next(self, context: Context) -> Reply:
        reply = await context.replies.get()
        if isinstance(reply, Exception):
            with translated():
                raise reply
        return reply

    async def _read(self) -> None:
        try:
            while True:
                self._take(decode_reply(await self._connection.recv()))
        except (ConnectionClosed, msgspec.MsgspecError, RecursionError) as e:
            self.end(e)

    def _take(self, reply: Reply) -> None:
        context = self._contexts.get(reply.context_id or "")
        if failure := reply.failure:
            self._accepts = False
            if context is None:
                self.end(failure)
            else:
                context.replies.put_nowait(failure)
        elif context is not None:
            context.heard_at = self._clock()
            self.has_spoken = True
            if not context.left:
                context.replies.put_nowait(reply)
            if reply.is_final:
                self._finish(context)

    def _finish(self, context: Context) -> None:
        del self._contexts[context.id]
        if context.left:
            self._generations.end()
