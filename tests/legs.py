"""A call leg by leg. A leg is what one replica does for the call.

The client's microphone, what it types and how it answers tools are given for the whole call: in each leg it sends what
the one before has not taken in.
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serve_app.audio.framing import RATE
from serve_app.conversation.actions import Actions
from serve_app.conversation.notes import GO_ON_NOTE
from serve_app.conversation.past import Past
from serve_app.conversation.tools import ToolCall
from serve_app.parts import Parts
from serve_app.ports import LogEvent, ModelRequest, Reasoning
from serve_app.session import Session
from tests.call_scripts import LAST_ANSWER, LAST_QUESTION, Round, Script
from tests.fakes.ports import MemoryLog, Scripted, ScriptedJudge, ScriptedTranscriber, ScriptedWebhooks, Wire
from tests.returning_caller import TICKET, json_copy
from tests.spelling import SpellingSpeaker
from tests.virtual_time import run

LUMP_S = 0.1


class Model(Scripted):
    """Its answers to each question, round by round. Told to go on, it goes on."""

    def __init__(self, answers: Mapping[str, Sequence[Round]], *, delay_before_s: float = 0.0, **script: Any) -> None:
        super().__init__(**script)
        self.delay_before_s = delay_before_s
        self.answers = {LAST_QUESTION: [Round(LAST_ANSWER)], **answers}
        self.asked: list[ModelRequest] = []

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning, None]:
        self.asked.append(request)
        await asyncio.sleep(self.delay_before_s)
        messages = list(request.messages)
        goes_on = messages[-1].content == GO_ON_NOTE
        last = max((n for n, message in enumerate(messages) if message.role == "user"), default=0)
        question = max((q for q in self.answers if messages[last].content.endswith(q)), key=len)
        used = sum(bool(message.tool_calls) for message in messages[last:])
        round_ = self.answers[question][used]
        text = round_.text
        if goes_on:
            said = messages[-2]
            assert (said.role, said.tool_calls) == ("assistant", ()), "where should it go on?"
            assert said.content, "where should it go on?"
            text = text.removeprefix(said.content.strip())  # the words that passed the time are none of it
        for word in re.findall(r"\s*\S+", text):
            await asyncio.sleep(0.010)
            yield word
        await self._wait()
        for call in round_.calls:
            yield call


class Break(msgspec.Struct, frozen=True):
    """At this second of the call the client loses its connection, and the last messages, for so many seconds."""

    at: float
    away_s: float
    lost: int


class Mark(msgspec.Struct, frozen=True):
    """A moment at which the process may die: `events` are recorded, `frames` have left, `typed` was sent."""

    events: int
    frames: int  # over all connections
    typed: int
    tools: frozenset[str]  # that the client has answered
    at: float  # s since the leg began


@dataclass
class Leg:
    script: Script
    begins: float  # second of the call
    events: list[LogEvent]  # of the legs before, too
    heard: list[dict[str, Any]]  # all that the client has got before
    wire: Wire = field(default_factory=Wire)
    marks: list[Mark] = field(default_factory=list)
    model: Model = field(init=False)
    webhooks: ScriptedWebhooks = field(init=False)
    typed: int = 0
    tools_answered: set[str] = field(default_factory=set)
    breaks: Sequence[Break] = ()
    begun_with: int = 0  # events

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [frame for _, frame in self.wire.frames]

    @property
    def all_frames(self) -> list[dict[str, Any]]:
        return self.heard + self.frames


class Watched(Session):
    """Notes after which records it may die: those of one moment are written together."""

    leg: Leg

    def _perform(self, actions: Actions) -> None:
        super()._perform(actions)
        self.leg.marks.append(moment(self.leg))


def moment(leg: Leg) -> Mark:
    now = asyncio.get_running_loop().time()
    return Mark(len(leg.events), len(leg.all_frames), leg.typed, frozenset(leg.tools_answered), now)


def play(script: Script) -> Leg:
    return run(_play(Leg(script, 0.0, [], []), None))


def goes_on(leg: Leg, mark: Mark, lost: int = 0, breaks: Sequence[Break] = ()) -> Leg:
    """The process has died there, and the client has not got the last `lost` messages either."""
    heard = leg.all_frames[: max(1, mark.frames - lost)]
    events = [shifted(json_copy(event), -mark.at) for event in leg.events[: mark.events]]
    past = Past(events, newest(heard))
    following = Leg(leg.script, leg.begins + mark.at, events, heard, typed=mark.typed)
    following.tools_answered, following.breaks, following.begun_with = set(mark.tools), breaks, len(events)
    return run(_play(following, past))


def shifted(event: LogEvent, seconds: float) -> LogEvent:
    return msgspec.structs.replace(event, at_unix=event.at_unix + seconds)


def newest(frames: Sequence[dict[str, Any]]) -> int:
    return max((event_id(frame) for frame in frames), default=0)


def event_id(frame: dict[str, Any]) -> int:
    body = next((v for k, v in frame.items() if k != "type"), {})
    return int(body.get("event_id", 0))


async def _play(leg: Leg, past: Past | None) -> Leg:
    script, log = leg.script, MemoryLog()
    log.entries = leg.events
    leg.model, leg.webhooks = Model(script.answers, **script.model), ScriptedWebhooks(delay_s=script.webhook_s)
    waits: list[float] = []
    parts = Parts(
        ScriptedTranscriber(script.hears),
        SpellingSpeaker(),
        leg.model,
        leg.webhooks,
        ScriptedJudge(),
        log,
        waits.append,
    )
    epoch = past.epoch + 1 if past else 0
    session = Watched("conv_1", "default", script.agents, parts, ticket=TICKET, past=past, epoch=epoch)
    session.leg = leg
    session.attach(leg.wire)
    running = asyncio.create_task(session.run())
    await asyncio.sleep(0)
    if past is None:
        session.receive(json.dumps({"type": "conversation_initiation_client_data", **script.initiation}))
    await Client(leg, session).stay(running)
    session.detach(leg.wire, 1000)
    await asyncio.wait_for(running, 60)
    return leg


class Client:
    """Looks up every LUMP_S, and sends what is due."""

    def __init__(self, leg: Leg, session: Session) -> None:
        self._leg, self._session = leg, session
        self._sound = leg.script.sound
        self._sent = round(leg.begins * RATE)  # samples of it
        self._read = 0  # frames
        self._due: list[tuple[float, str]] = []  # results of tools

    @property
    def _now(self) -> float:
        """Second of the call."""
        return self._leg.begins + asyncio.get_running_loop().time()

    async def stay(self, running: "asyncio.Task[None]") -> None:
        """As long as the call has something to say to the client, or the client to the call."""
        await asyncio.sleep(0)
        if self._leg.heard:
            self._sent = self._wanted()
        while not running.done() and self._now < self._leg.script.seconds:
            if self._leg.breaks and self._leg.breaks[0].at <= self._now:
                await self._come_back(self._leg.breaks[0])
            self._type(self._now)
            self._speak(round(self._now * RATE))
            self._look(self._now)
            self._answer_tools(self._now)
            await asyncio.sleep(LUMP_S)

    async def _come_back(self, lost: Break) -> None:
        """To the same replica."""
        leg, session = self._leg, self._session
        leg.breaks = leg.breaks[1:]
        session.detach(leg.wire, 1006)
        await asyncio.sleep(lost.away_s)
        leg.begins -= lost.away_s  # for the call no time has passed
        leg.heard += leg.frames[: max(1, len(leg.frames) - lost.lost)]
        leg.wire = Wire()
        leg.marks.clear()
        session.reattach(leg.wire, newest(leg.heard))
        await asyncio.sleep(0.001)
        leg.frames[0]["same_replica"] = True
        self._sent, self._read = self._wanted(), len(leg.heard)

    def _wanted(self) -> int:
        """The sample from which the session wants the caller's audio."""
        metadata = self._leg.frames[0]["conversation_initiation_metadata_event"]
        return int(metadata["resume"]["received_audio_ms"]) * RATE // 1000

    def _type(self, now: float) -> None:
        leg, typed = self._leg, self._leg.script.typed
        while leg.typed < len(typed) and typed[leg.typed][0] <= now:
            leg.typed += 1
            self._session.receive(typed[leg.typed - 1][1])

    def _speak(self, until: int) -> None:
        while self._sent < until:
            end = min(self._sent + round(LUMP_S * RATE), until)
            audio = base64.b64encode(self._sound[self._sent : end].tobytes()).decode()
            self._session.receive(json.dumps({"user_audio_chunk": audio}))
            self._sent = end

    def _look(self, now: float) -> None:
        """What has come: pings are answered at once, tools when they are done. Those of an earlier leg, too."""
        leg = self._leg
        for frame in leg.all_frames[self._read :]:
            self._read += 1
            if frame["type"] == "ping" and self._read > len(leg.heard):
                self._session.receive(json.dumps({"type": "pong", "event_id": event_id(frame)}))
            if frame["type"] == "client_tool_call" and leg.script.client_s is not None:
                call = frame["client_tool_call"]
                if call["tool_call_id"] not in leg.tools_answered and call.get("expects_response", True):
                    self._due.append((now + leg.script.client_s, call["tool_call_id"]))

    def _answer_tools(self, now: float) -> None:
        for at, call_id in [due for due in self._due if due[0] <= now]:
            self._due.remove((at, call_id))
            self._leg.tools_answered.add(call_id)
            result = {"type": "client_tool_result", "tool_call_id": call_id, "result": "feito", "is_error": False}
            self._session.receive(json.dumps(result))
