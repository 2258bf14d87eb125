"""A conversation with an agent of the server, seen from the client; lines break under it, and it goes on."""

import asyncio
import base64
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Self

from serve_app.audio.pcm import AudioFormat
from serve_app.client.events import ConversationOver, Event, Reconnecting, Resumed, StartedAnew
from serve_app.client.kept_audio import MESSAGE_S, KeptAudio
from serve_app.client.line import Address, Dial, Line, LineLost, WebSocketLine, addresses_of
from serve_app.client.opening import NOT_UNDERSTOOD, begin, begin_somewhere, decode
from serve_app.client.way_back import COME_BACK, GIVES_UP_AFTER_S, TAKEN_OVER, UNKNOWN_HERE, Attempt, Jitter, WayBack
from serve_app.conversation.server_messages import (
    AgentResponse,
    Audio,
    ConversationInitiationMetadata,
    Interruption,
    Ping,
    UserTranscript,
)

OVER = 1000


class Conversation:
    """Iterate over it for what the server says, until it ends. Pings are answered, and audio of an answer that was
    interrupted is dropped. `id`, `input_format`, `output_format`: the server's names for it, and for its audio. `url`:
    of the server that it is on. Of these, all but the formats are others after a StartedAnew, and `url` may be after a
    Resumed.

    Iterating raises ConversationOver when it ended otherwise than as it should.
    """

    def __init__(
        self,
        line: Line,
        begun: ConversationInitiationMetadata,
        url: str,
        way_back: WayBack,
        dial: Dial,
        opening: str,
    ) -> None:
        self.id = begun.conversation_id
        self.url = url
        self.input_format = AudioFormat.parse(begun.user_input_audio_format)
        self.output_format = AudioFormat.parse(begun.agent_output_audio_format)
        self._line = line
        self._resume = begun.resume
        self._way_back = way_back
        self._dial = dial
        self._opening = opening
        self._kept = KeptAudio(self.input_format)
        self._unsent: deque[str] = deque()
        self._sending = asyncio.Lock()
        self._last_event_id = 0
        self._stale_until = 0  # audio up to this id is not for the ear
        self._line_since = self._now()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._running = asyncio.create_task(self._run())
        self._running.add_done_callback(lambda _: self._events.put_nowait(None))

    @staticmethod
    @asynccontextmanager
    async def connect(
        url: str | Sequence[str],
        agent_id: str | None = None,
        *,
        api_key: str | None = None,
        resume: bool = True,
        initiation: Mapping[str, Any] = MappingProxyType({}),
    ) -> AsyncIterator["Conversation"]:
        """Open a conversation, closed at the block's end. `url`: the server's, or a signed URL, which names its agent
        itself; or several, the nearest first: the first one that takes the conversation has it, and the others are
        there for when that one is lost. `resume`: come back then, if the server can do that. `initiation`: fields of
        conversation_initiation_client_data, said again where another conversation has to begin.

        Raises ConversationOver when there is no server or it refuses, and ValueError for what is no address.
        """
        addresses = addresses_of([url] if isinstance(url, str) else url, agent_id, resume=resume)
        dial = partial(WebSocketLine.dial, api_key=api_key)
        conversation = await Conversation.open(addresses, dial, initiation)
        try:
            yield conversation
        finally:
            await conversation.close()

    @staticmethod
    async def open(
        addresses: Sequence[Address], dial: Dial, initiation: Mapping[str, Any], jitter: Jitter = random.uniform
    ) -> "Conversation":
        """Without a block around it: `close` it in the end. Raises ConversationOver."""
        if not addresses:
            raise ValueError("no server's address")
        opening = json.dumps({"type": "conversation_initiation_client_data", **initiation})
        try:
            home, line, begun = await begin_somewhere(addresses, dial, opening)
        except LineLost as e:
            raise ConversationOver(e.code, e.reason) from e
        try:
            return Conversation(line, begun, home.shown, WayBack(addresses, home, jitter), dial, opening)
        except ValueError as e:  # an audio format that nobody knows
            line.abort()
            raise ConversationOver(NOT_UNDERSTOOD, str(e)) from e

    async def send_audio(self, audio: bytes) -> None:
        """What the microphone has heard next, in `input_format`, as it hears it. Kept while there is no line.

        Raises ValueError on half a sample.
        """
        if len(audio) % self.input_format.bytes_per_sample:
            raise ValueError(f"{len(audio)} bytes are not a whole number of samples")
        size = self.input_format.bytes_for(MESSAGE_S)
        for start in range(0, len(audio), size):
            self._kept.push(audio[start : start + size])
            await self._flush()

    async def send_text(self, text: str) -> None:
        """A typed turn of the user's. Nobody says that it has arrived: of a line that is dead without a sign, the
        client knows after 5 to 6 s, and what was typed by then is gone."""
        await self.send({"type": "user_message", "text": text})

    async def send(self, message: Mapping[str, Any]) -> None:
        """Any other message of the protocol. It waits while there is no line."""
        self._unsent.append(json.dumps(message))
        await self._flush()

    async def close(self) -> None:
        """Hang up."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._line.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._events.get()
        if event is not None:
            return event
        self._events.put_nowait(None)  # who asks again is told again
        if not self._running.cancelled():
            self._running.result()
        raise StopAsyncIteration

    # ---- the line

    async def _run(self) -> None:
        """Until the conversation is over. Raises ConversationOver unless that is as it should be."""
        while True:
            try:
                await self._listen()
            except LineLost as lost:
                if lost.code == OVER:
                    return
                await self._come_back(lost)

    async def _listen(self) -> None:
        while True:
            message = decode(await self._line.recv())
            event_id = getattr(message, "event_id", 0)
            match message:
                case Ping():
                    await self._line.send(json.dumps({"type": "pong", "event_id": event_id}))
                case Interruption():
                    self._stale_until = event_id
                case UserTranscript():
                    self._kept.turn_closed()
                case AgentResponse():
                    self._kept.turn_answered()
            self._last_event_id = max(self._last_event_id, event_id)
            stale = isinstance(message, Audio) and event_id <= self._stale_until
            if message and not stale and not isinstance(message, Ping):
                self._events.put_nowait(message)

    async def _come_back(self, lost: LineLost) -> None:
        """Try until a conversation goes on: this one, or another in its place. Raises ConversationOver."""
        lost_at, why = self._now(), f"{lost.code}: {lost.reason}"
        self._way_back.lost(lost_at, self._line_since)
        while True:
            attempt = await self._next_attempt(lost)
            try:
                lost_s = await (self._begin_anew(attempt) if attempt.anew else self._go_on(attempt))
            except LineLost as again:
                lost = again
                continue
            self._way_back.arrived(anew=attempt.anew)
            self.url, self._line_since = attempt.address.shown, self._now()
            away_s = self._line_since - lost_at
            self._events.put_nowait(StartedAnew(away_s, lost_s, why) if attempt.anew else Resumed(away_s, lost_s))
            return await self._flush()

    async def _next_attempt(self, lost: LineLost) -> Attempt:
        """When its time has come. Raises ConversationOver when there is nothing to come back to."""
        self._heed(lost)
        attempt = self._way_back.next(self._now())
        if attempt is None:
            word = self._way_back.refusal or lost
            raise ConversationOver(word.code, f"no way back within {GIVES_UP_AFTER_S:.0f} s: {word.reason}") from word
        self._events.put_nowait(Reconnecting(attempt.number, attempt.wait_s, f"{lost.code}: {lost.reason}"))
        await asyncio.sleep(attempt.wait_s)
        return attempt

    def _heed(self, lost: LineLost) -> None:
        """What the line's end says of who was at its other one. Raises ConversationOver for a last word."""
        is_refusal = lost.code not in COME_BACK or not self._resume
        if lost.code == UNKNOWN_HERE:
            self._way_back.unknown(self._now())
        elif is_refusal and (self._way_back.is_home or lost.code == TAKEN_OVER):
            raise ConversationOver(lost.code, lost.reason) from lost
        elif is_refusal:
            self._way_back.refused(lost)

    async def _go_on(self, attempt: Attempt) -> float:
        """Over a new line. Returns how many seconds of what was said are gone. Raises LineLost."""
        assert self._resume
        url = attempt.address.to_go_on(self.id, self._resume.token, self._last_event_id)
        line, begun = await begin(self._dial, url, attempt.within_s)
        if not begun.resume:
            line.abort()
            raise LineLost(NOT_UNDERSTOOD, "the server has begun another conversation")
        self._stale_until = self._last_event_id
        return await self._change_to(line, begun, partial(self._kept.rewind, begun.resume.received_audio_ms))

    async def _begin_anew(self, attempt: Attempt) -> float:
        """Another conversation, which hears what this one has not answered. Returns and raises the same."""
        line, begun = await begin(self._dial, attempt.address.to_open(), attempt.within_s, self._opening)
        formats = begun.user_input_audio_format, begun.agent_output_audio_format
        if formats != (self.input_format.name, self.output_format.name):
            line.abort()
            raise LineLost(NOT_UNDERSTOOD, "the server's audio has another format than that before")
        self.id, self._last_event_id, self._stale_until = begun.conversation_id, 0, 0
        return await self._change_to(line, begun, self._kept.restart)

    async def _change_to(self, line: Line, begun: ConversationInitiationMetadata, rewind: Callable[[], float]) -> float:
        """Another line, which is sent nothing before what is said again."""
        try:
            async with self._sending:
                self._line, self._resume = line, begun.resume
                return rewind()
        except asyncio.CancelledError:  # else nobody would close it
            line.abort()
            raise

    async def _flush(self) -> None:
        """Send what waits, in order, as far as there is a line; what is left goes over the next one."""
        async with self._sending:
            try:
                while self._unsent:
                    await self._line.send(self._unsent[0])
                    self._unsent.popleft()
                while audio := self._kept.take():
                    await self._line.send(json.dumps({"user_audio_chunk": base64.b64encode(audio).decode()}))
            except LineLost:
                return  # _run learns of it, too

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
