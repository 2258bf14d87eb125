"""What waits to be sent to one caller, and the goodbye."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation import protocol
from serve_app.conversation.server_messages import Audio, ConversationInitiationMetadata, Interruption, ServerMessage
from serve_app.errors import HelloError, Unavailable

logger = logging.getLogger(__name__)

MOST_AUDIO = 250
"""Messages, 10 s of sound. It leaves 60 ms ahead of real time: what has waited for so long, nobody wants to hear."""
MOST_EVENTS = 1024
"""Messages other than audio. They are never dropped: a client that leaves so many is gone."""
CLOSING_S = 2.0
"""For the last frames, and for the close, to a client that may be gone."""


class Socket(Protocol):
    """What a conversation needs of a WebSocket. Both raise OSError when the client is gone."""

    async def send_text(self, data: str) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


PCM_16000 = AudioFormat.parse("pcm_16000")
KEPT = 300
"""Messages that have left: what a connection had taken, and lost, is among the last ten seconds' or so."""


class _Frame(NamedTuple):
    text: str
    is_audio: bool
    event_id: int = 0
    seconds: float = 0.0  # of sound
    flushes: bool = False  # the client drops the sound before it
    is_first: bool = False  # of a connection


class Outbox:
    """Bounded, for callers that read slowly: of audio the oldest is dropped, and counted in `dropped`. `voice`: the
    format of that audio. `keeps`: the client may come back. `sent` is told the id of every message that has left."""

    def __init__(
        self,
        voice: AudioFormat = PCM_16000,
        *,
        keeps: bool = False,
        sent: Callable[[int], None] = lambda event_id: None,
    ) -> None:
        self.dropped = 0
        self._voice = voice
        self._sent = sent
        self._rewound_to = 0  # what the client had received when it came back last
        self._kept: deque[_Frame] = deque(maxlen=KEPT if keeps else 0)  # the newest that have left
        self._frames: deque[_Frame] = deque()
        self._audio = 0  # of them
        self._leaving = False  # the first one is: it counts as sent, unless the sending is broken off
        self._filled = asyncio.Event()

    @property
    def waiting_audio(self) -> int:
        """Messages of sound that the client has not taken yet."""
        return self._audio

    def put(self, message: ServerMessage) -> None:
        """Raises Unavailable when the client takes nothing."""
        if isinstance(message, Interruption):
            self._drop_audio(self._audio)  # clients play what comes, also of an answer that is over
        is_audio = isinstance(message, Audio)
        if is_audio and self._audio >= MOST_AUDIO:
            self.dropped += 1
            self._drop_audio(1)
        if not is_audio and len(self._frames) - self._audio >= MOST_EVENTS:
            raise Unavailable("the client takes no messages")
        self._push(message)

    def rewind(self, event_id: int, first: ServerMessage) -> float:
        """Another connection begins: `first` is its first message, then come those after the one with this id, which is
        the newest that the client has received. Returns the seconds of sound among those, whether they had left or not:
        the conversation believes that they had."""
        frames = [*self._kept, *(frame for frame in self._frames if not frame.is_first)]
        received = self._received(frames, event_id)
        flushed = max((n for n, frame in enumerate(frames) if frame.flushes), default=-1)
        wanted = [n for n in range(received, len(frames)) if n > flushed or not frames[n].is_audio]
        resent_s = sum(frames[n].seconds for n in wanted)
        self._kept.clear()
        self._rewound_to = event_id
        self._frames = deque([self._frame(first), *(frames[n] for n in wanted)])
        self._audio = sum(frame.is_audio for frame in self._frames)
        self._filled.set()
        return resent_s

    def _received(self, frames: list[_Frame], event_id: int) -> int:
        """How many of them the client has, who names the newest id that it knows."""
        if event_id <= self._rewound_to:
            return 0  # nothing older is kept, and some of what came after has the id of something older
        known = next((n + 1 for n, frame in enumerate(frames) if frame.event_id == event_id), None)
        if known is not None:
            return known
        older = any(frame.event_id > event_id for frame in frames)
        return 0 if older else len(self._kept)

    async def send(self, socket: Socket) -> None:
        """Send what comes, for ever. Raises OSError when the client is gone."""
        while True:
            while not self._frames:
                self._filled.clear()
                await self._filled.wait()
            await self._send_first(socket)

    async def close(self, socket: Socket, last: ServerMessage | None, code: int, reason: str) -> None:
        """Send what is left and `last`, then close. Never raises: the client may be gone, or take nothing more."""
        if last:
            self._push(last)
        await _while_there(self._send_rest(socket))
        await _while_there(socket.close(code, reason))

    async def close_other(self, socket: Socket, error: HelloError) -> None:
        """A socket whose place another one has taken."""
        await _while_there(socket.close(error.close_code, error.message))

    async def _send_rest(self, socket: Socket) -> None:
        while self._frames:
            await self._send_first(socket)

    async def _send_first(self, socket: Socket) -> None:
        """It goes out of the box when it has left: broken off, it is still the first."""
        self._leaving = True
        try:
            await socket.send_text(self._frames[0].text)
        finally:
            self._leaving = False
        frame = self._frames.popleft()
        self._audio -= frame.is_audio
        self._sent(frame.event_id)
        if not frame.is_first:
            self._kept.append(frame)

    def _push(self, message: ServerMessage) -> None:
        frame = self._frame(message)
        self._frames.append(frame)
        self._audio += frame.is_audio
        self._filled.set()

    def _frame(self, message: ServerMessage) -> _Frame:
        is_audio = isinstance(message, Audio)
        seconds = self._voice.seconds(len(message.audio_base_64)) if isinstance(message, Audio) else 0.0
        flushes = isinstance(message, Interruption)
        is_first = isinstance(message, ConversationInitiationMetadata)
        event_id = getattr(message, "event_id", 0)
        return _Frame(protocol.encode(message), is_audio, event_id, seconds, flushes, is_first)

    def _drop_audio(self, count: int) -> None:
        """The oldest so many."""
        kept: deque[_Frame] = deque()
        for frame in self._frames:
            if frame.is_audio and count and (kept or not self._leaving):
                count -= 1
                self._audio -= 1
            else:
                kept.append(frame)
        self._frames = kept


async def _while_there(farewell: Coroutine[Any, Any, None]) -> None:
    """The close follows even if the client has stopped taking frames: its handler waits for one or the other."""
    try:
        async with asyncio.timeout(CLOSING_S):
            await farewell
    except (TimeoutError, OSError):
        logger.info("the client was gone before the close")
