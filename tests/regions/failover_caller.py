"""A caller of two regions, the nearest first, who is in the middle of an answer when the nearest is lost."""

import asyncio
from collections.abc import Sequence

from serve_app.client import Conversation, ConversationOver, Event, Reconnecting, Resumed, StartedAnew
from serve_app.conversation.server_messages import AgentResponse, Audio, UserTranscript
from tests.chaos.caller import PHRASES, spoken, until
from tests.microphone import Microphone

QUESTION, IN_THE_GAP, *_ = PHRASES
PATIENCE_S = 40.0
QUIET_S = 1.0
INTO_THE_ANSWER_S = 0.6
AFTER_THE_LOSS_S = 0.3
INTO_THE_QUESTION_S = 0.5


class FailoverCaller:
    """Moments are the loop's, None: it never happened.

    `noticed`: the client knows. `back`: over a line again, `anew` if in another conversation. `sound`: the agent's
    next one. `answered`: the agent's words to what was said in the gap.
    """

    def __init__(self, number: int) -> None:
        self.noticed: float | None = None
        self.back: float | None = None
        self.anew = False
        self.lost_s = 0.0
        self.sound: float | None = None
        self.answered: float | None = None
        self.over = ""
        self._microphone = Microphone(seed=number)
        self._sounded = 0.0
        self._heard: list[str] = []

    async def hold(
        self, urls: Sequence[str], together: asyncio.Barrier, go_on: asyncio.Event, *, mid_question: bool
    ) -> None:
        """A call: the greeting, a question asked together with the others, and, from the middle of its answer, what
        comes of it on `go_on`. `mid_question`: another question has begun by then, else it comes in the gap."""
        self._clock = asyncio.get_running_loop().time
        async with Conversation.connect(urls, "default") as conversation:
            tasks = [asyncio.create_task(self._listen(conversation)), asyncio.create_task(self._speak(conversation))]
            await self._quiet()
            await together.wait()
            await self._ask(QUESTION)
            await together.wait()
            if mid_question:
                self._microphone.say(spoken(IN_THE_GAP))
            await go_on.wait()
            assert await until(lambda: self.noticed, PATIENCE_S), "nobody noticed"
            await asyncio.sleep(AFTER_THE_LOSS_S)
            if not mid_question:
                self._microphone.say(spoken(IN_THE_GAP))
            await until(lambda: (self.sound and self.answered) or self.over, PATIENCE_S)
            for task in tasks:
                task.cancel()

    async def _quiet(self) -> None:
        assert await until(lambda: self._sounded, PATIENCE_S), "no greeting"
        await until(lambda: self._clock() - self._sounded > QUIET_S, PATIENCE_S)

    async def _ask(self, question: str) -> None:
        asked = self._clock()
        self._microphone.say(spoken(question))
        assert await until(lambda: question in self._heard and self._sounded > asked, PATIENCE_S), "no answer"
        await asyncio.sleep(INTO_THE_ANSWER_S)

    async def _speak(self, conversation: Conversation) -> None:
        async for lump in self._microphone.lumps():
            await conversation.send_audio(lump)

    async def _listen(self, conversation: Conversation) -> None:
        try:
            async for event in conversation:
                self._take(event, self._clock())
        except ConversationOver as e:
            self.over = str(e)

    def _take(self, event: Event, now: float) -> None:
        match event:
            case Reconnecting():
                self.noticed = self.noticed or now
            case Resumed(_, lost_s) | StartedAnew(_, lost_s, _):
                self.back, self.anew, self.lost_s = now, isinstance(event, StartedAnew), lost_s
            case Audio():
                self._sounded = now
                if self.back and not self.sound:
                    self.sound = now
            case UserTranscript(text):
                self._heard.append(text)
            case AgentResponse() if self.back and self._heard and self._heard[-1] == IN_THE_GAP:
                self.answered = self.answered or now
