"""Sockets of `multi-stream-input`, open before they are needed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from websockets.exceptions import WebSocketException

from deployments.voices.elevenlabs_contexts import Context, ContextSocket
from deployments.voices.elevenlabs_generations import Generations
from deployments.voices.elevenlabs_wire import INACTIVITY_S, Account, Closings, Opening, translated
from serve_app.errors import SpeechError
from serve_app.observability.correlation import note
from serve_app.ports import SpeechChunk

COMFORTABLE = 2
"""Clauses on a socket before another one is opened: what one call has in flight, so that one that breaks is one
call's."""

TEND_EVERY_S = 1.0
RENEW_S = INACTIVITY_S - 30.0
"""An idle socket is replaced after this long, before ElevenLabs closes it."""
SURPLUS_S = 30.0
"""One of several that nobody has needed for so long is closed."""
WANTED_S = 600.0
"""A voice keeps a socket open for so long after it was used or warmed."""
MOST_WANTED = 20
"""Voices at once: callers may be permitted to name any, and none of them must keep a thousand sockets open."""
RETRY_S = 10.0
"""Between attempts that no clause waits for, when the last one failed, or its socket was closed without a word."""


class ContextPool:
    """The way to speak over `multi-stream-input`: each clause finds an open socket with room, if any can be had.

    Voices that differ in settings alone share sockets: settings belong to a context.
    """

    name = "multi-stream-input"

    def __init__(self, account: Account, generations: Generations) -> None:
        self._account = account
        self._generations = generations
        self._shelves: dict[str, _Shelf] = {}
        self._closings = Closings()
        self._tending: asyncio.Task[None] | None = None

    @property
    def sockets(self) -> int:
        return sum(shelf.sockets for shelf in self._shelves.values())

    def warm(self, opening: Opening) -> None:
        """See that a socket with room is open, or opened in the background."""
        self._shelf(opening).prepare()

    async def speak(self, text: str, opening: Opening) -> AsyncGenerator[SpeechChunk, None]:
        """Raises SpeechError."""
        with translated():
            socket, context = await self._shelf(opening).take()
        note(way=self.name, context_id=context.id)
        async with aclosing(socket.speak(context, f"{text.rstrip()} ", opening.settings)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def aclose(self) -> None:
        if self._tending:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        for shelf in self._shelves.values():
            await shelf.aclose()
        self._shelves.clear()
        await self._closings.ended()

    def _shelf(self, opening: Opening) -> "_Shelf":
        """It is wanted from now on: before it has anything that could be tidied away."""
        url = self._account.socket_url(self.name, opening)
        shelf = self._shelves.pop(url, None) or _Shelf(self._account, url, self._generations, self._closings)
        self._shelves[url] = shelf  # the last one: what was wanted longest ago comes first
        shelf.want()
        for other in [*self._shelves.values()][:-MOST_WANTED]:
            other.let_go()
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend())
        return shelf

    async def _tend(self) -> None:
        while self._shelves:
            await asyncio.sleep(TEND_EVERY_S)
            for url, shelf in list(self._shelves.items()):
                shelf.tidy()
                if shelf.is_abandoned():
                    del self._shelves[url]


class _Shelf:
    """The sockets with one address, so for one voice, model, format and language."""

    def __init__(self, account: Account, url: str, generations: Generations, closings: Closings) -> None:
        self._account = account
        self._url = url
        self._generations = generations
        self._closings = closings
        self._sockets: list[ContextSocket] = []
        self._opening: asyncio.Task[ContextSocket] | None = None
        self._clock = asyncio.get_running_loop().time
        self._wanted_until = self._retry_at = 0.0

    @property
    def sockets(self) -> int:
        return sum(socket.open for socket in self._sockets)

    def want(self) -> None:
        self._wanted_until = self._clock() + WANTED_S

    def let_go(self) -> None:
        """It is closed when nothing is spoken there any more."""
        self._wanted_until = 0.0

    def prepare(self) -> None:
        """See that the next clause finds a socket with room to spare."""
        if not any(socket.has_room() and socket.live < COMFORTABLE for socket in self._sockets):
            self._open()

    async def take(self) -> tuple[ContextSocket, Context]:
        """A place on the emptiest socket, or on a new one. Raises what opening that raises, and SpeechError."""
        while not (socket := self._emptiest()):
            # Shared: who leaves while it is opened must not take it from the others.
            opened = await asyncio.shield(self._open())
            if not opened.open:
                raise SpeechError("ElevenLabs closed the connection at once")
        context = socket.begin()
        self.prepare()
        return socket, context

    def tidy(self) -> None:
        now = self._clock()
        if any(not socket.open and not socket.has_spoken for socket in self._sockets):  # taken, and then hung up on
            self._retry_at = now + RETRY_S
        for socket in self._sockets:
            if socket.is_lost():
                socket.end(SpeechError("ElevenLabs has fallen silent"))
        self._forget_closed()
        wanted = now < self._wanted_until
        if wanted and now >= self._retry_at and not any(self._is_fresh(socket) for socket in self._sockets):
            self._open()
        spare = self._emptiest() if wanted else None
        for socket in self._sockets:
            due = now - socket.used_at > SURPLUS_S or not wanted or not socket.has_room()
            if socket is not spare and not socket.live and due:
                socket.end(SpeechError("ElevenLabs is not needed any more"))
        self._forget_closed()

    def is_abandoned(self) -> bool:
        return self._clock() >= self._wanted_until and not self._sockets and (not self._opening or self._opening.done())

    async def aclose(self) -> None:
        if self._opening:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        for socket in self._sockets:
            socket.end(SpeechError("this voice is closed"))

    def _forget_closed(self) -> None:
        self._sockets = [socket for socket in self._sockets if socket.open]

    def _is_fresh(self, socket: ContextSocket) -> bool:
        return socket.has_room() and self._clock() - socket.used_at < RENEW_S

    def _emptiest(self) -> ContextSocket | None:
        """Of those that are equally empty the one used last, so that the others can be closed."""
        roomy = [socket for socket in self._sockets if socket.has_room()]
        return min(roomy, key=lambda socket: (socket.live, -socket.used_at), default=None)

    def _open(self) -> "asyncio.Task[ContextSocket]":
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_one())
            self._opening.add_done_callback(_noticed)
        return self._opening

    async def _open_one(self) -> ContextSocket:
        try:
            connection = await self._account.connect(self._url)
        except (OSError, WebSocketException):
            self._retry_at = self._clock() + RETRY_S
            raise
        socket = ContextSocket(connection, self._generations, self._closings)
        self._sockets.append(socket)
        return socket


def _noticed(opening: "asyncio.Task[ContextSocket]") -> None:
    """A failure in the background is no news: the next clause tries for itself, and tells."""
    if not opening.cancelled():
        opening.exception()
