"""A caller whose line breaks twice, while they speak and while the agent does, against a running server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import numpy as np
import pytest

from serve_app.audio.pcm import Samples
from serve_app.client import Conversation, Event, Reconnecting, Resumed
from serve_app.conversation.server_messages import AgentResponse, AgentResponseComplete, Audio, UserTranscript
from tests.acceptance.breakable_line import BreakableLine
from tests.acceptance.server import Server
from tests.espeak import RATE, render

T = TypeVar("T")

QUESTION = "quero ver o meu saldo"
LUMP = RATE // 50  # samples
BYTES_PER_S = 2 * RATE
WITHIN_S = 30.0
EVENTS = ["audio", "interruption", "user_transcript", "agent_response", "agent_response_complete"]
INITIATION = {
    "conversation_config_override": {"agent": {"first_message": ""}, "conversation": {"client_events": EVENTS}}
}


class Caller:
    """A conversation with a microphone that is open. `events`: all that it was told."""

    def __init__(self, conversation: Conversation) -> None:
        self.events: list[Event] = []
        self.conversation = conversation
        self._to_say: Samples = np.empty(0, np.int16)
        self._noise = np.random.default_rng(7)
        self._told = asyncio.Event()

    def say(self, samples: Samples) -> None:
        self._to_say = samples

    @property
    def left_to_say_s(self) -> float:
        return len(self._to_say) / RATE

    def heard_s(self) -> float:
        return sum(len(event.audio_base_64) for event in self.of(Audio)) / BYTES_PER_S

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not what():
                self._told.clear()
                await self._told.wait()

    async def speak(self) -> None:
        due = asyncio.get_running_loop().time()
        while True:
            due += LUMP / RATE
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            lump = self._noise.normal(0, 8, LUMP).astype(np.int16)
            speech, self._to_say = self._to_say[:LUMP], self._to_say[LUMP:]
            lump[: len(speech)] += speech
            await self.conversation.send_audio(lump.tobytes())
            self._told.set()

    async def listen(self) -> None:
        async for event in self.conversation:
            self.events.append(event)
            self._told.set()


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Caller]:
    async with Conversation.connect(url, "default", initiation=INITIATION) as conversation:
        caller = Caller(conversation)
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(caller.speak()), tasks.create_task(caller.listen())]
            yield caller
            for task in work:
                task.cancel()


async def whole_call(server: Server) -> Caller:
    """The same question, typed, over a line that holds."""
    async with calling(server.url) as caller:
        await caller.conversation.send_text(QUESTION)
        await caller.until(lambda: caller.of(AgentResponseComplete))
    return caller


async def broken_call(server: Server) -> Caller:
    port = urlsplit(server.url).port
    assert port
    question = render(QUESTION, "pt")
    async with BreakableLine(port) as line, calling(line.url) as caller:
        caller.say(question)
        await caller.until(lambda: caller.left_to_say_s < len(question) / RATE / 2)
        line.break_off()  # the network, in the middle of the question
        await caller.until(lambda: caller.heard_s() > 1.5)
        caller.conversation._line.abort()  # the client's own socket, in the middle of the answer
        await caller.until(lambda: caller.of(AgentResponseComplete))
    return caller


def test_nothing_is_lost_with_the_line(server: Server) -> None:
    async def scenario() -> tuple[Caller, Caller]:
        return await asyncio.gather(whole_call(server), broken_call(server))

    whole, broken = asyncio.run(scenario())
    assert [event.user_transcript for event in broken.of(UserTranscript)] == [QUESTION]
    assert [e.agent_response for e in broken.of(AgentResponse)] == [e.agent_response for e in whole.of(AgentResponse)]
    assert broken.heard_s() == pytest.approx(whole.heard_s(), abs=0.1)
    ids = [event.event_id for event in broken.of(Audio)]
    assert ids == sorted(set(ids))
    assert len(broken.of(Reconnecting)) == len(broken.of(Resumed)) == 2
    assert all(resumed.away_s < 2 and resumed.lost_s == 0 for resumed in broken.of(Resumed))
