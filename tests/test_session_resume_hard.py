"""Calls in which much happens, cut wherever their record may end, once or several times: they go on elsewhere, from the
record alone, as if nothing had been.

A leg is what one replica does for the call. The client's microphone, what it types and how it answers tools are given
for the whole call: in each leg it sends what the one before has not taken in.
"""

import asyncio
import base64
import json
import random
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from serve_app.conversation.actions import Actions
from serve_app.conversation.agent import Agent, Hello, LanguagePreset, OnFailure, SoftTimeout
from serve_app.conversation.notes import GO_ON_NOTE
from serve_app.conversation.past import Past
from serve_app.conversation.toolbox import LOST
from serve_app.conversation.tools import ToolCall
from serve_app.errors import LanguageModelError
from serve_app.parts import Parts
from serve_app.ports import LogEvent, ModelRequest, Reasoning
from serve_app.session import Session
from tests.caller import INITIATION, speech
from tests.conversation import score
from tests.conversation.toolkit import TOOL_EVENTS, asks, client, equipped, system, webhook
from tests.fakes.ports import (
    MemoryLog,
    Scripted,
    ScriptedJudge,
    ScriptedTranscriber,
    ScriptedWebhooks,
    Wire,
)
from tests.test_session_resume import TICKET, Caller, SpellingSpeaker, json_copy, words
from tests.virtual_time import run

LUMP_S = 0.1
LAST_QUESTION = "e depois?"
"""Typed at the end of each call: with it, the model is told all of it."""
LAST_ANSWER = "Mais nada."


class Round(msgspec.Struct, frozen=True):
    """What the model gives at once."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


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


@dataclass
class Script:
    """A call. `speaks`: at which second the caller says what; `types`: and writes what; `client_s`: how
    long the client's tools take. `ends`: the agent ends it."""

    seconds: float
    agents: Mapping[str, Agent]
    answers: Mapping[str, Sequence[Round]]
    speaks: Sequence[tuple[float, Samples]] = ()
    types: Sequence[tuple[float, str]] = ()
    client_s: float | None = None
    ends: bool = False
    hears: str = "quero um café"
    model: Mapping[str, Any] = field(default_factory=dict)
    webhook_s: float = 0.5
    initiation: Mapping[str, Any] = field(default_factory=dict)
    asks_at_last: bool = True

    @property
    def typed(self) -> list[tuple[float, str]]:
        asks = self.asks_at_last and not self.ends
        last = [(self.seconds - 2.5, text_of_user(LAST_QUESTION))] if asks else []
        return [*self.types, *last]

    @property
    def sound(self) -> Samples:
        samples = np.zeros(round(self.seconds * RATE), np.int16)
        for at, said in self.speaks:
            start = round(at * RATE)
            samples[start : start + len(said)] = said
        return samples


def text_of_user(text: str) -> str:
    return json.dumps({"type": "user_message", "text": text})


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
    await _be_the_client(leg, session, running)
    session.detach(leg.wire, 1000)
    await asyncio.wait_for(running, 60)
    return leg


async def _be_the_client(leg: Leg, session: Session, running: "asyncio.Task[None]") -> None:
    script, sound, loop = leg.script, leg.script.sound, asyncio.get_running_loop()
    sent = round(leg.begins * RATE)
    answered = 0
    await asyncio.sleep(0)
    if leg.heard:
        sent = leg.wire.frames[0][1]["conversation_initiation_metadata_event"]["resume"]["received_audio_ms"] * 16
    due: list[tuple[float, str]] = []
    while not running.done() and leg.begins + loop.time() < script.seconds:
        now = leg.begins + loop.time()
        if leg.breaks and leg.breaks[0].at <= now:
            sent = await _come_back(leg, session, leg.breaks[0])
            answered, now = len(leg.heard), leg.begins + loop.time()
        while leg.typed < len(script.typed) and script.typed[leg.typed][0] <= now:
            leg.typed += 1
            session.receive(script.typed[leg.typed - 1][1])
        while sent < round(now * RATE):
            end = min(sent + round(LUMP_S * RATE), round(now * RATE))
            audio = base64.b64encode(sound[sent:end].tobytes()).decode()
            session.receive(json.dumps({"user_audio_chunk": audio}))
            sent = end
        for frame in leg.all_frames[answered:]:
            answered += 1
            if frame["type"] == "ping" and answered > len(leg.heard):
                session.receive(json.dumps({"type": "pong", "event_id": event_id(frame)}))
            if frame["type"] == "client_tool_call" and script.client_s is not None:
                call = frame["client_tool_call"]
                if call["tool_call_id"] not in leg.tools_answered and call.get("expects_response", True):
                    due.append((now + script.client_s, call["tool_call_id"]))
        for at, call_id in [d for d in due if d[0] <= now]:
            due.remove((at, call_id))
            leg.tools_answered.add(call_id)
            result = {"type": "client_tool_result", "tool_call_id": call_id, "result": "feito", "is_error": False}
            session.receive(json.dumps(result))
        await asyncio.sleep(LUMP_S)


async def _come_back(leg: Leg, session: Session, lost: Break) -> int:
    """To the same replica. Returns the sample from which the caller's audio is wanted."""
    leg.breaks = leg.breaks[1:]
    session.detach(leg.wire, 1006)
    await asyncio.sleep(lost.away_s)
    leg.begins -= lost.away_s  # for the call no time has passed
    leg.heard += leg.frames[: max(1, len(leg.frames) - lost.lost)]
    leg.wire = Wire()
    leg.marks.clear()
    session.reattach(leg.wire, newest(leg.heard))
    await asyncio.sleep(0.001)
    metadata = leg.wire.frames[0][1]
    metadata["same_replica"] = True
    return int(metadata["conversation_initiation_metadata_event"]["resume"]["received_audio_ms"]) * 16


def replaced(struct: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(struct, **fields)


def replaced_config(described: Agent, **fields: Any) -> Agent:
    return replaced(described, conversation_config=replaced(described.conversation_config, **fields))


# ---- what came of it


def spelled(frames: Sequence[dict[str, Any]]) -> str:
    """What these sounds say, where they are at their own level."""
    levels = [
        int(np.frombuffer(base64.b64decode(frame["audio_event"]["audio_base_64"]), np.int16)[0])
        for frame in frames
        if frame["type"] == "audio"
    ]
    return "".join(chr(level // 100) for level in levels if level % 100 == 0)


def joined(texts: Sequence[str]) -> list[str]:
    """Word by word. One that was cut off may have been said again, from its beginning."""
    said: list[str] = []
    for text in texts:
        then = words(text)
        if said and then and then[0].startswith(said[-1]):
            said.pop()
        said += then
    return said


def told(request: ModelRequest) -> list[tuple[str, str, tuple[str, ...], str]]:
    return [
        (m.role, m.content.strip(), tuple(call.id for call in m.tool_calls), m.tool_call_id) for m in request.messages
    ]


def check_record(leg: Leg) -> None:
    events = leg.events
    assert [event.sequence for event in events] == list(range(len(events)))
    kinds = [event.kind for event in events]
    assert kinds.count("ended") == 1
    assert kinds[-1] == "ended"
    assert (events[-1].data["error"] or {}).get("code") != 1011, events[-1].data
    calls = [event.data["tool_call_id"] for event in events if event.kind == "tool_call"]
    assert len(calls) == len(set(calls)), calls
    turns = [event.data for event in events if event.kind == "agent_turn"]
    responses = [turn["event_id"] for turn in turns]
    assert len(responses) == len(set(responses))
    for turn in turns:
        same = [other for other in turns if other["turn"] == turn["turn"] and other is not turn]
        assert all(other["end"] <= turn["start"] or turn["end"] <= other["start"] for other in same), turns
    assert {event.data["event_id"] for event in events if event.kind == "correction"} <= set(responses)


def check_wire(leg: Leg) -> None:
    types = [frame["type"] for frame in leg.frames]
    assert types[0] == "conversation_initiation_metadata"
    assert types.count("conversation_initiation_metadata") == 1
    audio = [event_id(frame) for frame in leg.all_frames if frame["type"] == "audio"]
    assert audio == sorted(set(audio))


def check(leg: Leg) -> None:
    check_record(leg)
    check_wire(leg)


# ---- the calls

GREETING = "Bom dia."
ANSWER = "O bolo custa trinta reais. O menor custa vinte, e leva dois dias."
ASKS = ((2.0, text_of_user("quanto custa?")),)
COFFEE = "Pois não, sai já um café."
BAKERY = "Você é a padaria."
CLIENT = client("mostrar")
SHOWN = client("piscar", expects_response=False)
WEBHOOK = webhook("buscar")
SOFT = SoftTimeout(1.0, "Só um momento.")


def one(described: Agent) -> Mapping[str, Agent]:
    return {"default": described}


def bakery(*tools: Any, **rules: Any) -> Agent:
    return equipped(*tools, text=BAKERY, first_message=rules.pop("first_message", GREETING), **rules)


def asking(*rounds: Round, seconds: float = 14.0, tools: Sequence[Any] = (), **script: Any) -> Script:
    """One typed question, answered so."""
    agents = script.pop("agents", None) or one(bakery(*tools))
    return Script(seconds, agents, {"quanto custa?": rounds}, types=ASKS, **script)


def transferring(**how: Any) -> Mapping[str, Agent]:
    transfers = [{"agent_id": "cakes", "condition": "bolos", **how}]
    cakes = equipped(text="Você é a doceira.", first_message="Aqui é a doceira.")
    return {"default": bakery(system("transfer_to_agent", transfers=transfers)), "cakes": cakes}


TRANSFER = Round("", (asks("transfer_to_agent", "t1", agent_number=0),))
SCRIPTS: dict[str, Script] = {
    "a spoken turn": Script(
        12.0,
        one(bakery(first_message="")),
        {"quero um café": [Round(COFFEE)]},
        speaks=[(1.0, speech())],
    ),
    "an answer": asking(Round(ANSWER)),
    "a tool of the client's": asking(
        Round("Vou mostrar. Veja aqui. Este é um bolo.", (asks("mostrar", "a"),)),
        Round("Pronto, custa trinta."),
        tools=[CLIENT],
        client_s=0.8,
    ),
    "a silent tool": asking(
        Round("Veja.", (asks("piscar", "a"),)), Round("Custa trinta."), tools=[SHOWN], client_s=0.8
    ),
    "rounds of webhooks": asking(
        Round("", (asks("buscar", "a"), asks("buscar", "b"))),
        Round("Mais um pouco.", (asks("buscar", "c"),)),
        Round("", (asks("buscar", "d"),)),
        Round("Custa trinta."),
        tools=[WEBHOOK],
        seconds=16.0,
    ),
    "a tool that is late": asking(
        Round("", (asks("buscar", "a"),)), Round("Custa trinta."), tools=[WEBHOOK], webhook_s=3.0
    ),
    "a tool that does not exist": asking(Round("Vejamos.", (asks("voar", "a"),)), Round("Não sei.")),
    "the end of the call": asking(
        Round("Obrigado, até logo.", (asks("end_call", "a"),)), tools=[system("end_call")], ends=True
    ),
    "the end of the call without a word": asking(
        Round("", (asks("end_call", "a", message="Até logo, obrigado."),)), tools=[system("end_call")], ends=True
    ),
    "a transfer": asking(TRANSFER, Round("Custa quarenta."), agents=transferring()),
    "a transfer with a message": asking(
        Round("Certo.", TRANSFER.calls),
        Round("Custa quarenta."),
        agents=transferring(transfer_message="Vou passar para a doceira."),
    ),
    "a transfer with a greeting": asking(
        TRANSFER, Round("Nunca."), agents=transferring(enable_transferred_agent_first_message=True)
    ),
    "a change of language": asking(
        Round("", (asks("language_detection", "a", language="en"),)),
        Round("It costs thirty."),
        agents=one(
            replaced_config(
                bakery(system("language_detection")),
                language_presets={"en": LanguagePreset({"agent": {"prompt": {"prompt": "You are the bakery."}}})},
            )
        ),
    ),
    "a slow model": asking(
        Round("Custa trinta."),
        agents=one(bakery(turn=replaced(score.WAITS, soft_timeout_config=SOFT))),
        model={"delay_before_s": 2.0},
    ),
    "a model that fails": asking(Round("Custa,"), model={"fault": LanguageModelError("no")}, asks_at_last=False),
    "a failure that ends the call": asking(
        Round("Custa,"),
        agents=one(bakery(hello=Hello(on_failure=OnFailure("end", "Ligue mais tarde.")))),
        model={"fault": LanguageModelError("no")},
        ends=True,
    ),
    "a failure that transfers": asking(
        Round("Custa,"),
        agents={
            "default": bakery(hello=Hello(on_failure=OnFailure("transfer", "Vou transferir.", "cakes"))),
            "cakes": equipped(text="Você é a doceira.", first_message="Aqui é a doceira."),
        },
        model={"fault": LanguageModelError("no")},
        asks_at_last=False,
    ),
    "a skipped turn": asking(Round("", (asks("skip_turn", "a"),)), tools=[system("skip_turn")]),
    "in writing": asking(
        Round("Vou ver.", (asks("buscar", "a"),)),
        Round("Custa trinta."),
        agents=one(bakery(WEBHOOK, text_only=True, events=(*TOOL_EVENTS, "agent_chat_response_part"))),
        seconds=8.0,
    ),
    "the end of its time": Script(
        16.0,
        one(bakery(first_message=f"{GREETING} {ANSWER}", max_duration_seconds=2)),
        {},
        asks_at_last=False,
        ends=True,
    ),
    "what is known besides": Script(
        8.0,
        one(bakery()),
        {"quanto custa?": [Round("Custa trinta.")]},
        types=[
            (1.0, '{"type":"contextual_update","text":"é sábado"}'),
            (1.5, '{"type":"contextual_update","text":"chove","context_id":"tempo"}'),
            (2.0, text_of_user("quanto custa?")),
            (2.2, '{"type":"feedback","event_id":1,"score":"like"}'),
            (3.5, '{"type":"contextual_update","text":"faz sol","context_id":"tempo"}'),
        ],
    ),
    "interrupted by voice": Script(
        16.0,
        one(bakery()),
        {"quanto custa?": [Round(ANSWER)], "quero um café": [Round(COFFEE)]},
        types=ASKS,
        speaks=[(3.5, speech())],
    ),
    "interrupted in writing": Script(
        14.0,
        one(bakery()),
        {"quanto custa?": [Round(ANSWER)], "quero um café": [Round(COFFEE)]},
        types=[*ASKS, (3.5, text_of_user("quero um café"))],
    ),
    "a murmur over it": Script(
        14.0,
        one(bakery()),
        {"quanto custa?": [Round(ANSWER)]},
        types=ASKS,
        speaks=[(3.5, speech()[: RATE // 2])],
        hears="uhum",
    ),
}


@cache
def whole_call(name: str) -> Leg:
    return play(SCRIPTS[name])


def deaths(leg: Leg, *, every_sound: int = 30) -> list[Mark]:
    """The first moment after each entry of the record, but for most of those about sound."""
    first = {mark.events: mark for mark in reversed(leg.marks)}
    kept, sounds = [], 0
    for mark in sorted(first.values(), key=lambda mark: mark.events):
        last = leg.events[mark.events - 1]
        sounds += last.kind == "audio"
        asked = leg.script.asks_at_last and not leg.script.ends and mark.at >= leg.script.seconds - 2.5 - leg.begins
        over = last.kind == "ended" or asked
        if not over and (last.kind != "audio" or sounds % every_sound == 0):
            kept.append(mark)
    return kept


SEEDS = 24
FREE = {"interrupted by voice", "interrupted in writing", "the end of its time", "a murmur over it"}
"""How much is heard of an answer before its interruption depends on where it was cut."""
FILLER = words("Só um momento")


def heard_in_all(leg: Leg) -> list[str]:
    """On the same replica the voice goes on within a word."""
    replicas: list[list[dict[str, Any]]] = []
    for frame in leg.all_frames:
        if frame["type"] == "conversation_initiation_metadata" and "same_replica" not in frame:
            replicas.append([])
        replicas[-1].append(frame)
    return joined([spelled(frames) for frames in replicas])


def without_fillers(said: list[str]) -> list[str]:
    text = " ".join(said)
    for length in range(len(FILLER), 0, -1):
        text = text.replace(" ".join(FILLER[:length]) + " ", "")
    return text.split()


def check_against(whole: Leg, leg: Leg, name: str) -> None:
    check(leg)
    kinds = [event.kind for event in leg.events]
    assert kinds.count("user_turn") == sum(event.kind == "user_turn" for event in whole.events)
    if leg.script.ends:
        last = words(spelled([frame for frame in whole.frames if event_id(frame) > whole_last(whole)]))
        assert "".join(heard_in_all(leg)).endswith("".join(last))
        assert leg.events[-1].data["reason"] == whole.events[-1].data["reason"]
    if name not in FREE and cut_off(leg) == cut_off(whole):
        assert without_fillers(heard_in_all(leg)) == without_fillers(joined([spelled(whole.frames)]))
    if leg.script.asks_at_last and not leg.script.ends and leg.model.asked:
        expected, got = told(whole.model.asked[-1]), told(leg.model.asked[-1])
        assert shape(got) == shape(expected)
        for (_, content, *_), (_, wanted, *_) in zip(got, expected, strict=True):
            same = without_fillers(words(content)) == without_fillers(words(wanted))
            assert same or content == LOST or name in FREE or cut_off(leg) != cut_off(whole)


def cut_off(leg: Leg) -> int:
    """Answers. What is said again, because it was lost, may come late enough to be interrupted."""
    return sum(event.kind == "correction" for event in leg.events)


def whole_last(leg: Leg) -> int:
    """Before the last turn's first sound."""
    turn = max(event.data["turn"] for event in leg.events if event.kind == "audio")
    return min(e.data["event_id"] for e in leg.events if e.kind == "audio" and e.data["turn"] == turn) - 1


def shape(messages: list[tuple[str, str, tuple[str, ...], str]]) -> list[Any]:
    return [(role, calls, call_id) for role, _, calls, call_id in messages]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_call_goes_on_wherever_it_was_cut(name: str) -> None:
    whole = whole_call(name)
    for mark in deaths(whole):
        check_against(whole, goes_on(whole, mark), name)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_call_may_be_cut_again_and_again(seed: int) -> None:
    """On its way the client loses its connection to the same replica, too."""
    dice = random.Random(seed)
    name = sorted(SCRIPTS)[seed % len(SCRIPTS)]
    whole = leg = whole_call(name)
    for _ in range(dice.randint(1, 3)):
        at = [mark for mark in deaths(leg, every_sound=1) if mark.events > leg.begun_with]
        if not at:
            break
        mark = dice.choice(at)
        leg = goes_on(leg, mark, losable(leg, mark, dice.randint(0, 8)), breaks(leg.begins + mark.at, dice))
        check_wire(leg)
    check_against(whole, leg, name)


def breaks(begins: float, dice: random.Random) -> list[Break]:
    moments = sorted(begins + dice.uniform(0, 6) for _ in range(dice.randint(0, 2)))
    return [Break(at, dice.uniform(0, 59), dice.randint(0, 8)) for at in moments]


def losable(leg: Leg, mark: Mark, lost: int) -> int:
    """The end of an answer that was over before is not said again."""
    turns = {event.data["event_id"]: event.data["turn"] for event in leg.events if event.kind == "audio"}
    newest_turn = max((event.data.get("turn") or 0 for event in leg.events[: mark.events]), default=0)
    gone = leg.all_frames[max(1, mark.frames - lost) : mark.frames]
    whole = all(turns.get(event_id(frame)) == newest_turn for frame in gone if frame["type"] == "audio")
    over = any(e.kind == "said" and e.data["turn"] == newest_turn for e in leg.events[: mark.events])
    return lost if whole and not over else 0


def test_metadata_that_had_not_left_is_not_sent_over_the_next_connection() -> None:
    async def scenario() -> Wire:
        caller, stuck, again = Caller(), Wire(), Wire()
        stuck.stuck = True
        await caller.sends(INITIATION)
        await caller.is_silent(0.5)
        for wire in (stuck, again):
            caller.session.reattach(wire, newest([frame for _, frame in caller.wire.frames]))
            await asyncio.sleep(0.01)
        await caller.is_silent(1)
        await caller.hangs_up(again)
        return again

    assert run(scenario()).types().count("conversation_initiation_metadata") == 1
