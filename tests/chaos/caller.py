"""A caller who takes one turn after another, numbered, by typing or by voice, and keeps account of all of it."""

import asyncio
import math
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from itertools import count, cycle, islice
from typing import Any

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from serve_app.client import Conversation, ConversationOver, Event, Reconnecting, Resumed, StartedAnew
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseCorrection,
    Audio,
    Interruption,
    ServerMessage,
    UserTranscript,
)
from tests.chaos.accounting import Break, Call, Told, Turn
from tests.espeak import render
from tests.microphone import Microphone

PHRASES = ("quero ver o meu saldo", "quero pagar a minha conta", "esqueci a minha senha", "onde está o meu pedido")
"""The bundled recogniser knows them, and the offline agent has an answer of some seconds to each."""
BREATH_S, READING_S = 0.4, 2.5
PATIENCE_S = 10.0
"""Without an answer, before they say it again."""
RETYPED_S = 1.0
"""On a new line, before they type again what was not taken from them."""
ATTEMPTS = 6
LOOK_EVERY_S = 0.05
APOLOGY = "Desculpe"


class Way(Enum):
    """How a caller talks."""

    WRITING = "writes, and reads the answers"
    TYPING = "types, and hears the answers"
    SPEAKING = "speaks"


def initiation(way: Way) -> Mapping[str, Any]:
    """The caller speaks first."""
    conversation = {"text_only": way is Way.WRITING}
    return {"conversation_config_override": {"agent": {"first_message": ""}, "conversation": conversation}}


class Caller:
    """`number` tells them from others."""

    def __init__(self, url: str, number: int, way: Way) -> None:
        self.call = Call()
        self._url = url
        self._way = way
        self._phrases = islice(cycle(PHRASES), number % len(PHRASES), None)
        self._plays_until = 0.0
        self._said = 0.0  # when this turn was last said
        self._resumed = 0.0
        self._microphone = Microphone(seed=number)

    async def talk(self, leaving: asyncio.Event) -> None:
        """One turn after another, until they leave, after the last one's answer."""
        self._clock = asyncio.get_running_loop().time
        try:
            async with Conversation.connect(self._url, "default", initiation=initiation(self._way)) as conversation:
                self.call.conversation_id = conversation.id
                tasks = [asyncio.create_task(self._listen(conversation))]
                if self._way is Way.SPEAKING:
                    tasks.append(asyncio.create_task(self._hold_microphone(conversation)))
                while not leaving.is_set() and self.call.over is None:
                    await self._take_turn(conversation)
                for task in tasks:
                    task.cancel()
        except ConversationOver as e:  # never begun
            self._is_over(str(e))

    # ---- turns

    async def _take_turn(self, conversation: Conversation) -> None:
        text = next(self._phrases) if self._way is Way.SPEAKING else f"turno {len(self.call.turns) + 1}"
        turn = Turn(text, self._way is Way.SPEAKING, self._clock())
        self.call.turns.append(turn)
        while not await self._is_answered(turn, conversation):
            if turn.again + 1 == ATTEMPTS:
                turn.given_up = True
                return
            turn.again += 1
        if self.call.over is None:
            await until(lambda: self._plays_until < self._clock() and self._is_connected, PATIENCE_S)
            await self._pause(READING_S if self._way is Way.WRITING else BREATH_S)

    async def _pause(self, seconds: float) -> None:
        """Whoever is back on the line goes on at once: a pause of theirs is none of the server's."""
        begun = self._clock()
        await until(lambda: self._resumed > begun, seconds)

    async def _is_answered(self, turn: Turn, conversation: Conversation) -> bool:
        """Say it, and wait. A call that is over is told of elsewhere."""
        turn.sayings.append(self._clock())
        if self._way is Way.SPEAKING:
            self._microphone.say(spoken(turn.text))
            await until(lambda: self._microphone.said_at < math.inf, PATIENCE_S)
            turn.until = turn.until or self._clock()
        else:
            await conversation.send_text(turn.text)
        self._said = self._clock()
        await until(lambda: bool(turn.answer or self.call.over) or self._is_to_be_said_again(turn))
        return bool(turn.answer or self.call.over)

    def _is_to_be_said_again(self, turn: Turn) -> bool:
        now = self._clock()
        if not self._is_connected:
            return False
        if turn.apologies > turn.again:
            return self._plays_until < now
        if self._resumed > self._said and not turn.spoken and not turn.heard:
            return now - self._resumed > RETYPED_S
        return now - max(self._said, self._resumed) > PATIENCE_S

    @property
    def _is_connected(self) -> bool:
        return all(each.back for each in self.call.breaks)

    # ---- what comes

    async def _listen(self, conversation: Conversation) -> None:
        try:
            async for event in conversation:
                self._take(event)
            self._is_over("the agent hung up")
        except ConversationOver as e:
            self._is_over(str(e))

    def _is_over(self, why: str) -> None:
        self.call.over = why
        if self._is_connected:
            self.call.breaks.append(Break(self._clock(), why))

    def _take(self, event: Event) -> None:
        now = self._clock()
        match event:
            case Reconnecting(_, _, why):
                if self._is_connected:
                    self.call.breaks.append(Break(now, why))
            case Resumed():
                self._resumed = self.call.breaks[-1].back = now
            case StartedAnew():
                self._is_over("the conversation is lost: another has begun")
            case _:
                self._hear(event, now)

    def _hear(self, message: ServerMessage, now: float) -> None:
        told = Told(now, message.TYPE, getattr(message, "event_id", 0), _text(message))
        self.call.told.append(told)
        match message:
            case Audio(audio):
                self._plays_until = max(now, self._plays_until) + len(audio) / 2 / RATE
            case Interruption():
                self._plays_until = now
            case UserTranscript():
                self._was_heard(told)
            case AgentResponse():
                self._was_answered(told)

    def _was_heard(self, told: Told) -> None:
        if self.call.turns and not self.call.turns[-1].heard:
            self.call.turns[-1].heard = told

    def _was_answered(self, told: Told) -> None:
        turn = self.call.turns[-1] if self.call.turns else None
        if turn is None or turn.answer:
            return
        if told.text.startswith(APOLOGY):
            turn.apologies += 1
        elif turn.heard and (turn.spoken or turn.text in told.text):
            turn.answer = told

    async def _hold_microphone(self, conversation: Conversation) -> None:
        async for lump in self._microphone.lumps():
            await conversation.send_audio(lump)


async def until(happened: Callable[[], bool], patience_s: float = math.inf) -> bool:
    """Look now and then. Whether it has."""
    deadline = asyncio.get_running_loop().time() + patience_s
    for _ in count():
        if (done := happened()) or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return done


@cache
def spoken(text: str) -> Samples:
    return render(text, "pt")


def _text(message: ServerMessage) -> str:
    match message:
        case UserTranscript(text) | AgentResponse(text):
            return text
        case AgentResponseCorrection(_, corrected):
            return corrected
    return ""
