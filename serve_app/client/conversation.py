"""A conversation with an agent of the server, seen from the client; lines break under it, and it goes on."""

import asyncio
import base64
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Self, TypeAlias

import msgspec

from serve_app.audio.pcm import AudioFormat
from serve_app.client.events import ConversationOver, Event, Reconnecting, Resumed
from serve_app.client.kept_audio import MESSAGE_S, KeptAudio
from serve_app.client.line import NO_CLOSE_FRAME, Address, Dial, Line, LineLost, WebSocketLine
from serve_app.conversation.server_messages import (
    SERVER_MESSAGES,
    Audio,
    ConversationInitiationMetadata,
    Interruption,
    Ping,
    ServerMessage,
)

OPENS_WITHIN_S = 10.0
GOES_ON_WITHIN_S = 2.0
"""And so much more with each attempt, up to OPENS_WITHIN_S. A replica that has frozen takes calls and never answers,
and the next attempt may reach another; but a slow line must get through in the end."""
SHORTEST_WAIT_S = 0.05
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
GIVES_UP_AFTER_S = 60.0
"""No longer does a server keep a conversation that nobody is in."""
STEADY_S = 2.0
"""A line that has held for so long was a good one: the next loss is not the same trouble."""

OVER = 1000
NOT_UNDERSTOOD = 1002
COME_BACK = frozenset({1001, NO_CLOSE_FRAME, 1011, 1012, 1013})
"""Close codes after which the conversation may go on elsewhere. All others are the server's last word."""

Jitter: TypeAlias = Callable[[float, float], float]


class Conversation:
    """Iterate over it for what the server says, until it ends. Pings are answered, and audio of an answer that was
    interrupted is dropped. `id`, `input_format`, `output_format`: the server's names for it, and for its audio.

    Iterating raises ConversationOver when it ended otherwise than as it should.
    """

    def __init__(self, line: Line, begun: ConversationInitiationMetadata, address: Address, dial: Dial, jitter: Jitter):
        self.id = begun.conversation_id
        self.input_format = AudioFormat.parse(begun.user_input_audio_format)
        self.output_format = AudioFormat.parse(begun.agent_output_audio_format)
        self._line = line
        self._resume = begun.resume
        self._address = address
        self._dial = dial
        self._jitter = jitter
        self._kept = KeptAudio(self.input_format)
        self._unsent: deque[str] = deque()
        self._sending = asyncio.Lock()
        self._last_event_id = 0
        self._stale_until = 0  # audio up to this id is not for the ear
        self._attempt = 0
        self._line_since = self._now()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._running = asyncio.create_task(self._run())
        self._running.add_done_callback(lambda _: self._events.put_nowait(None))

    @staticmethod
    @asynccontextmanager
    async def connect(
        url: str,
        agent_id: str | None = None,
        *,
        api_key: str | None = None,
        resume: bool = True,
        initiation: Mapping[str, Any] = MappingProxyType({}),
    ) -> AsyncIterator["Conversation"]:
        """Open a conversation, closed at the block's end. `url`: the server's, or a signed URL, which names its agent
        itself. `resume`: come back when the line is lost, if the server can do that. `initiation`: fields of
        conversation_initiation_client_data.

        Raises ConversationOver when there is no server or it refuses, and ValueError for what is no address.
        """
        dial = partial(WebSocketLine.dial, api_key=api_key)
        conversation = await Conversation.open(Address.of(url, agent_id, resume=resume), dial, initiation)
        try:
            yield conversation
        finally:
            await conversation.close()

    @staticmethod
    async def open(
        address: Address, dial: Dial, initiation: Mapping[str, Any], jitter: Jitter = random.uniform
    ) -> "Conversation":
        """Without a block around it: `close` it in the end. Raises ConversationOver."""
        opening = json.dumps({"type": "conversation_initiation_client_data", **initiation})
        try:
            line, begun = await _begin(dial, address.to_open(), OPENS_WITHIN_S, opening)
        except LineLost as e:
            raise ConversationOver(e.code, e.reason) from e
        try:
            return Conversation(line, begun, address, dial, jitter)
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
        """A typed turn of the user's."""
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
            message = _decode(await self._line.recv())
            event_id = getattr(message, "event_id", 0)
            match message:
                case Ping():
                    await self._line.send(json.dumps({"type": "pong", "event_id": event_id}))
                case Interruption():
                    self._stale_until = event_id
            self._last_event_id = max(self._last_event_id, event_id)
            stale = isinstance(message, Audio) and event_id <= self._stale_until
            if message and not stale and not isinstance(message, Ping):
                self._events.put_nowait(message)

    async def _come_back(self, lost: LineLost) -> None:
        """Try until the conversation goes on. Raises ConversationOver."""
        lost_at = self._now()
        if lost_at - self._line_since >= STEADY_S:
            self._attempt = 0
        while True:
            await self._wait_after(lost, lost_at + GIVES_UP_AFTER_S)
            try:
                lost_s = await self._go_on()
            except LineLost as again:
                lost = again
                continue
            self._line_since = self._now()
            self._events.put_nowait(Resumed(self._line_since - lost_at, lost_s))
            return await self._flush()

    async def _wait_after(self, lost: LineLost, until: float) -> None:
        """Of many clients that have lost the same server, each comes back at a moment of its own. Raises
        ConversationOver when there is nothing to come back to, or it would be after `until`."""
        if lost.code not in COME_BACK or not self._resume:
            raise ConversationOver(lost.code, lost.reason) from lost
        longest = min(FIRST_WAIT_S * 2 ** min(self._attempt, 10), LONGEST_WAIT_S)
        wait = self._jitter(SHORTEST_WAIT_S, longest)
        if self._now() + wait > until:
            raise ConversationOver(lost.code, f"no way back within {GIVES_UP_AFTER_S:.0f} s: {lost.reason}") from lost
        self._attempt += 1
        self._events.put_nowait(Reconnecting(self._attempt, wait, f"{lost.code}: {lost.reason}"))
        await asyncio.sleep(wait)

    async def _go_on(self) -> float:
        """Over a new line. Returns how many seconds of what was said are gone. Raises LineLost."""
        assert self._resume
        url = self._address.to_go_on(self.id, self._resume.token, self._last_event_id)
        within = min(GOES_ON_WITHIN_S * self._attempt, OPENS_WITHIN_S)
        line, begun = await _begin(self._dial, url, within)
        if not begun.resume:
            line.abort()
            raise LineLost(NOT_UNDERSTOOD, "the server has begun another conversation")
        self._stale_until = self._last_event_id
        async with self._sending:
            self._line, self._resume = line, begun.resume
            return self._kept.rewind(begun.resume.received_audio_ms)

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


async def _begin(
    dial: Dial, url: str, within: float, opening: str | None = None
) -> tuple[Line, ConversationInitiationMetadata]:
    """Open a line, say `opening`, and wait for the metadata, which comes first. Raises LineLost."""
    line = await dial(url, within)
    try:
        if opening:
            await line.send(opening)
        async with asyncio.timeout(within):
            begun = _decode(await line.recv())
        if not isinstance(begun, ConversationInitiationMetadata):
            raise LineLost(NOT_UNDERSTOOD, "the server did not begin with the conversation's metadata")
    except TimeoutError as e:
        line.abort()
        raise LineLost(NO_CLOSE_FRAME, "the server took the call and said nothing") from e
    except (LineLost, asyncio.CancelledError):
        line.abort()
        raise
    return line, begun


def _decode(frame: str) -> ServerMessage | None:
    """None: a kind we do not know. Raises LineLost for what is no message: there is no talking to that server."""
    try:
        fields = _MESSAGE.decode(frame)
        kind = SERVER_MESSAGES.get(msgspec.json.decode(fields["type"], type=str))
        return msgspec.json.decode(fields[kind.ENVELOPE] if kind.ENVELOPE else b"{}", type=kind) if kind else None
    except (msgspec.DecodeError, KeyError) as e:
        raise LineLost(NOT_UNDERSTOOD, f"the server's message is none of the protocol's: {e}") from e


_MESSAGE = msgspec.json.Decoder(dict[str, msgspec.Raw])
