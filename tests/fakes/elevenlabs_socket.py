"""One socket of the fake of ElevenLabs, `stream-input` or `multi-stream-input`."""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.elevenlabs_faults import MULTI, STATUSES, Fault, for_ever, reset
from tests.fakes.elevenlabs_speech import Context, Received, Speech

MOST_CONTEXTS = 5
ONLY = ""  # the context of a `stream-input` socket


class Socket:
    """Reads messages up to the end of the stream, and speaks each context's texts in order."""

    def __init__(self, speech: Speech, ws: web.WebSocketResponse, transport: Any, received: Received) -> None:
        self._speech = speech
        self._ws = ws
        self._transport = transport
        self.received = received
        self._contexts: dict[str, _Speaking] = {}  # those that take more text
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()  # code, reason
        self._frozen = False
        self._closes = received.way != MULTI  # with the last context that is live

    @property
    def way(self) -> str:
        return self.received.way

    def kill(self) -> None:
        reset(self._transport)

    def freeze(self) -> None:
        """Read, send and answer nothing from now on."""
        self._frozen = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    async def fail(self, name: str, message: str) -> None:
        await self._send({"message": message, "error": name, "code": 1008})
        self._end(1008, message)

    async def converse(self) -> None:
        self._in_background(self._hear())
        try:
            code, reason = await self._over
        finally:
            for task in self._tasks:
                task.cancel()
        await self._ws.close(code=code, message=reason.encode())

    def _end(self, code: int = 1000, reason: str = "") -> None:
        if not self._over.done():
            self._over.set_result((code, reason))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._end(1011, f"the fake itself failed: {error!r}"[:120])

    async def _hear(self) -> None:
        with suppress(ConnectionError):  # the client has left
            while not self._over.done():
                await self._hear_one()

    async def _hear_one(self) -> None:
        idle = self._speech.fault_of(self.way) is Fault.IDLE
        inactivity_s = 0 if idle else float(self.received.query.get("inactivity_timeout", "20"))
        try:
            async with asyncio.timeout(inactivity_s):
                frame = await self._ws.receive()
        except TimeoutError:
            await self.fail("input_timeout_exceeded", "no text for too long")
            return
        if self._frozen:
            await for_ever()
        if frame.type is WSMsgType.TEXT:
            message = json.loads(frame.data)
            self.received.messages.append(message)
            await (self._multi(message) if self.way == MULTI else self._single(message))
        else:
            self._end()

    async def _single(self, message: dict[str, Any]) -> None:
        if ONLY not in self._contexts and message["text"] != " ":
            await self.fail("invalid_message", "the first message must be a single space")
        elif ONLY not in self._contexts:
            self._begin(ONLY, message)
        elif not message["text"]:
            self._contexts[ONLY].end(speak_rest=True)
        else:
            self._contexts[ONLY].add(message, self._auto)

    async def _multi(self, message: dict[str, Any]) -> None:
        id = message.get("context_id", "default")
        if message.get("close_socket"):
            self._closes = True
            for context in self._contexts.values():
                context.end()
            self._end_if_asked()
        elif message.get("close_context"):
            if context := self._contexts.pop(id, None):
                context.end()
        elif message == {"text": ""}:
            pass  # keeps the socket alive
        elif id not in self._contexts and len(self.received.live) == MOST_CONTEXTS:
            await self.fail("max_active_conversations", "Maximum simultaneous contexts per connection exceeded")
        elif id in self._contexts and message.get("voice_settings", self._contexts[id].settings) != (
            self._contexts[id].settings
        ):
            await self.fail("invalid_message", "voice_settings can only be set in the first message of a context")
        else:
            (self._contexts.get(id) or self._begin(id, message)).add(message, self._auto)

    @property
    def _auto(self) -> bool:
        return self.received.query.get("auto_mode") == "true"

    def _begin(self, id: str, message: dict[str, Any]) -> "_Speaking":
        """Any message for an unknown id begins a context, a flush or an empty text too."""
        context = Context(id, message.get("voice_settings"))
        self.received.begin(context)
        self._contexts[id] = speaking = _Speaking(context)
        self._in_background(self._speak(speaking))
        return speaking

    async def _speak(self, speaking: "_Speaking") -> None:
        """Everything that is to be spoken in a context, and its end."""
        context = speaking.context
        final = {"isFinal": True, "contextId": context.id} if self.way == MULTI else {"isFinal": True}
        with suppress(ConnectionError):  # the client has left
            while (text := await speaking.to_speak.get()) is not None:
                await self._say(context, text)
            context.final = True
            await self._send({"audio": None} | final)
            self._end_if_asked()

    def _end_if_asked(self) -> None:
        """When every context is final."""
        if self._closes and not self.received.live:
            self._end()

    async def _say(self, context: Context, text: str) -> None:
        match fault := self._speech.fault_of(self.way):
            case None | Fault.STALL_MIDWAY | Fault.RESET | Fault.EARLY_CLOSE:
                await self._send_audio(context, text)
            case Fault.MALFORMED:
                await self._ws.send_str("{not json")
                await for_ever()
            case Fault.NO_AUDIO:
                pass
            case _ if fault in STATUSES:
                await self.fail(STATUSES[fault][1], f"cannot say {text}")
                await for_ever()
            case _:
                await for_ever()

    async def _send_audio(self, context: Context, text: str) -> None:
        async with aclosing(self._speech.spoken(self.received, context, text)) as chunks:
            async for chunk in chunks:
                id = {"contextId": context.id} if self.way == MULTI else {}
                await self._send(self._speech.message(chunk) | id)
                match self._speech.fault_of(self.way):
                    case Fault.STALL_MIDWAY:
                        await for_ever()
                    case Fault.RESET:
                        reset(self._transport)
                        await for_ever()
                    case Fault.EARLY_CLOSE:
                        self._end()
                        await for_ever()

    async def _send(self, message: dict[str, Any]) -> None:
        if self._frozen:
            await for_ever()
        await self._ws.send_str(json.dumps(message))


class _Speaking:
    """A context that takes text: what of it is to be spoken now, and what waits for more."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.to_speak: asyncio.Queue[str | None] = asyncio.Queue()
        self._buffer = ""

    @property
    def settings(self) -> dict[str, Any] | None:
        return self.context.settings

    def add(self, message: dict[str, Any], at_once: bool) -> None:
        text = message.get("text", "")
        if text.strip():
            self.context.hear(text)
            self._buffer += text
        if at_once or message.get("flush"):
            self._flush()

    def end(self, *, speak_rest: bool = False) -> None:
        """Closing a context of several speaks only what was flushed before; the end of a stream speaks everything."""
        if speak_rest:
            self._flush()
        self.context.closed = True
        self.to_speak.put_nowait(None)

    def _flush(self) -> None:
        if self._buffer:
            self.to_speak.put_nowait(self._buffer)
        self._buffer = ""
