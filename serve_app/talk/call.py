"""One conversation over the ElevenLabs Agents protocol, seen from the client."""

import asyncio
import contextlib
import itertools
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping

from serve_app.client import Conversation, ConversationOver, Event, Reconnecting, Resumed, StartedAnew
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseCorrection,
    AgentResponseMetadata,
    Audio,
    Error,
    Interruption,
    UserTranscript,
)
from serve_app.talk import TalkError
from serve_app.talk.clip import Clip
from serve_app.talk.loudspeaker import Loudspeaker

MESSAGE_SECONDS = 0.02
QUIET_SECONDS = 1.2  # the agent has finished: longer than its pause between two sentences
NOBODY_THERE = 1006

CLIENT_EVENTS = [
    "audio",
    "interruption",
    "agent_response",
    "agent_response_correction",
    "user_transcript",
    "agent_response_metadata",
]


@contextlib.asynccontextmanager
async def calling(url: str, agent_id: str) -> AsyncIterator["Call"]:
    """A call that is open as long as the block. Raises TalkError."""
    initiation = {"conversation_config_override": {"conversation": {"client_events": CLIENT_EVENTS}}}
    async with contextlib.AsyncExitStack() as stack:
        try:
            connecting = Conversation.connect(url, agent_id, initiation=initiation)
            conversation = await stack.enter_async_context(connecting)
        except ValueError as e:
            raise TalkError(str(e)) from e
        except ConversationOver as e:
            if e.code == NOBODY_THERE:
                raise TalkError(f"{url}: no server there ({e.reason}); start it with `make run`") from e
            raise hung_up(e) from e
        yield Call(conversation)


def hung_up(over: ConversationOver) -> TalkError:
    return TalkError(f"the server ended the conversation (code {over})")


class Call:
    """The open microphone, the loudspeaker, and what both sides are said to have said. Times are seconds of the call.

    `stream_microphone` and `listen` run as tasks of their own for as long as the call lasts.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.loudspeaker = Loudspeaker(conversation.output_format.rate)
        self.metrics: Mapping[str, Mapping[str, float]] = {}  # of the newest answer
        self._to_say: deque[bytes] = deque()
        self._messages_sent = 0
        self._audio_came = asyncio.Event()
        self._started = asyncio.get_running_loop().time()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._started

    async def say(self, clip: Clip) -> float:
        """Say a clip from the next message on. Returns, before it is said, when its last word will have been."""
        messages = await asyncio.to_thread(clip.messages, self._conversation.input_format, MESSAGE_SECONDS)
        self._to_say.extend(messages)
        return (self._messages_sent - 1) * MESSAGE_SECONDS + clip.voiced_seconds  # a message leaves when it is full

    async def first_sound(self, since: float, within: float) -> float | None:
        """Wait for the first audible sound from `since` on; None when there is none `within` seconds of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(since + within - self.now):
                while (heard := self.loudspeaker.first_sound(since)) is None:
                    self._audio_came.clear()
                    await self._audio_came.wait()
                return heard
        return None

    async def agent_finished(self) -> None:
        """Wait until everything was played and nothing more came for QUIET_SECONDS."""
        while self.now < (quiet := self.loudspeaker.end + QUIET_SECONDS):
            wait = quiet - self.now
            await asyncio.sleep(wait)

    async def stream_microphone(self) -> None:
        """Send a message every MESSAGE_SECONDS by an absolute clock, silence when there is nothing to say."""
        audio_format = self._conversation.input_format
        silence = audio_format.silence(audio_format.bytes_for(MESSAGE_SECONDS))
        for self._messages_sent in itertools.count():
            await asyncio.sleep(self._messages_sent * MESSAGE_SECONDS - self.now)
            await self._conversation.send_audio(self._to_say.popleft() if self._to_say else silence)

    async def listen(self) -> None:
        """Take what the server sends, and print what is said. Raises TalkError when the server hangs up."""
        try:
            async for event in self._conversation:
                self._take(event)
        except ConversationOver as e:
            raise hung_up(e) from e
        raise TalkError("the server ended the conversation")

    def _take(self, event: Event) -> None:
        match event:
            case Audio(audio):
                self.loudspeaker.play(self._conversation.output_format.decode(audio), self.now)
                self._audio_came.set()
            case Interruption():
                self.loudspeaker.cut(self.now)
                print("        -- interrupted --")
            case UserTranscript(text):
                print(f"you:    {text}")
            case AgentResponse(text):
                print(f"agent:  {text}")
            case AgentResponseCorrection(corrected_agent_response=heard):
                print(f"        heard of it: {heard}")
            case AgentResponseMetadata(metadata):
                self.metrics = metadata.get("conversation_turn_metrics", {}).get("metrics", {})
            case Error(message=message):
                print(f"        the server reports: {message}", file=sys.stderr)
            case Reconnecting(attempt):
                print(f"        -- the line is lost, reconnecting ({attempt}) --")
            case Resumed(away_s):
                print(f"        -- back after {away_s:.1f} s --")
            case StartedAnew(away_s):
                print(f"        -- the conversation is lost: another has begun after {away_s:.1f} s --")
