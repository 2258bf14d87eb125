"""Every provider meets every fault, with a fallback behind it and without: one call each, and what its caller heard.

A cell is a call of three turns: one with everything well, one with the fault, one after the provider has healed.
"""

import asyncio
import re
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

from serve_app.conversation.lines import all_lines
from tests.fakes import elevenlabs_server, groq_server
from tests.faults.line import CUT_OFF, Line, Turn
from tests.faults.rig import Rig

LONGEST_SILENCE_S = 2.0
CALLS_AT_ONCE = 10
FIRST, FAULTY, NEXT = "yes please", "i forgot my password", "how are you"


class Stage(Enum):
    """The value is how the table calls it."""

    STT = "STT"
    LLM = "LLM"
    TTS = "TTS"


class Trouble(Enum):
    """Each as Groq's fake has it (None: nobody listens at its port any more) and as ElevenLabs' has."""

    REFUSED = "refused connection", None, elevenlabs_server.Fault.REFUSED
    BAD_KEY = "401", groq_server.Fault.BAD_KEY, elevenlabs_server.Fault.BAD_KEY
    RATE_LIMIT = "429", groq_server.Fault.RATE_LIMIT, elevenlabs_server.Fault.RATE_LIMIT
    SERVER_ERROR = "500", groq_server.Fault.SERVER_ERROR, elevenlabs_server.Fault.SERVER_ERROR
    STALL = "stall before the first byte", groq_server.Fault.STALL, elevenlabs_server.Fault.STALL
    STALL_MIDWAY = "stall midway", groq_server.Fault.STALL_MIDWAY, elevenlabs_server.Fault.STALL_MIDWAY
    RESET = "socket dies midway", groq_server.Fault.RESET, elevenlabs_server.Fault.RESET
    MALFORMED = "malformed", groq_server.Fault.MALFORMED, elevenlabs_server.Fault.MALFORMED

    @property
    def title(self) -> str:
        return str(self.value[0])


class Cell(NamedTuple):
    stage: Stage
    trouble: Trouble
    has_fallback: bool

    def __str__(self) -> str:
        return f"{self.stage.value}, {self.trouble.title}, {'fallback there' if self.has_fallback else 'no fallback'}"


CELLS = [Cell(stage, trouble, there) for stage in Stage for trouble in Trouble for there in (False, True)]


class Outcome(NamedTuple):
    """Of a cell. `prepared`: our own lines in what was heard of the faulty turn that no voice was asked for in it.
    `asked_again`: the healed provider was asked in the next turn. `alone`: it is the second attempt."""

    cell: Cell
    faulty: Turn
    following: Turn
    prepared: list[str]
    asked_again: bool
    lives: bool
    alone: bool = False

    @property
    def records(self) -> list[str]:
        """What the conversation's record has of the fault, each once, in order."""
        told = (_record(event.kind, event.data) for event in self.faulty.events)
        return list(dict.fromkeys(filter(None, told)))

    @property
    def is_recorded_as_heard(self) -> bool:
        """Word by word. One in which the voice was cut off may count as heard, or not."""
        return all(
            _letters(turn.said) in (_letters(turn.text), _letters(re.sub(rf"\S*{CUT_OFF}", "", turn.text)))
            for turn in (self.faulty, self.following)
        )

    @property
    def uses_it_again(self) -> bool:
        stage = self.cell.stage.name.lower()
        return self.asked_again and not any(data["stage"] == stage for data in self.following.of("fallback"))

    @property
    def broken_rules(self) -> list[str]:
        rules = {
            "something is heard": bool(self.faulty.text),
            f"no silence is longer than {LONGEST_SILENCE_S:.0f} s": self.faulty.silence_s <= LONGEST_SILENCE_S,
            "no turn ends without a word": not self.faulty.of("none_response"),
            "what happened is recorded": bool(self.records),
            "what was heard is recorded": self.is_recorded_as_heard,
            "the call goes on": self.lives and bool(self.following.text),
            "the next turn uses the healed provider": self.uses_it_again,
        }
        return [rule for rule, kept in rules.items() if not kept]


async def outcomes(cells: Iterable[Cell] = CELLS) -> list[Outcome]:
    """In the order of the cells, some of which are run side by side. Those that break a rule so are run once more, each
    by itself, which is what counts then: so many calls and fakes on one event loop are late for reasons of their own.
    """
    room = asyncio.Semaphore(CALLS_AT_ONCE)

    async def one(cell: Cell) -> Outcome:
        async with room:
            return await outcome(cell)

    first = await asyncio.gather(*map(one, cells))
    return [(await outcome(each.cell))._replace(alone=True) if each.broken_rules else each for each in first]


def play() -> list[Outcome]:
    """All of it, in a process that does nothing else."""
    return asyncio.run(outcomes())


async def outcome(cell: Cell) -> Outcome:
    rig = Rig(
        backup_model=cell.has_fallback or cell.stage is not Stage.LLM,
        local_voice=cell.has_fallback or cell.stage is not Stage.TTS,
    )
    async with rig, rig.call() as line:
        return await _play(cell, rig, line)


async def _play(cell: Cell, rig: Rig, line: Line) -> Outcome:
    await line.turn(FIRST)
    await _break(cell, rig)
    asked = len(rig.proxy.asked)
    try:
        faulty = await line.turn(FAULTY)
    finally:
        await _heal(cell, rig)
    spoken = rig.proxy.asked[asked:]
    prepared = [text for text in all_lines("en") if text in faulty.text and text not in spoken]
    await rig.until_probed()
    before = _requests(cell, rig)
    following = await line.turn(NEXT)
    return Outcome(cell, faulty, following, prepared, _requests(cell, rig) > before, line.lives)


async def _break(cell: Cell, rig: Rig) -> None:
    _, groqs, elevenlabs = cell.trouble.value
    if cell.stage is Stage.STT and not cell.has_fallback:
        rig.whisper.kill()
    if cell.stage is Stage.TTS:
        rig.voice.fault = elevenlabs
    elif groqs:
        _groq(cell, rig).fault = groqs
    else:
        await asyncio.to_thread(_groq(cell, rig).stop)


async def _heal(cell: Cell, rig: Rig) -> None:
    """What the fallback was does not: a process that was killed stays away."""
    if cell.stage is Stage.TTS:
        rig.voice.fault = None
    elif cell.trouble is Trouble.REFUSED:
        await asyncio.to_thread(_groq(cell, rig).start)
    else:
        _groq(cell, rig).fault = None


def _groq(cell: Cell, rig: Rig) -> groq_server.FakeGroq:
    return rig.stt if cell.stage is Stage.STT else rig.llm


def _requests(cell: Cell, rig: Rig) -> int:
    return len(rig.voice.contexts) if cell.stage is Stage.TTS else len(_groq(cell, rig).received)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _record(kind: str, data: dict[str, Any]) -> str:
    match kind:
        case "fallback":
            return f"fallback: {data['failed']} → {data['instead']} ({data['why']})"
        case "error":
            return f"error: {data['error_type']} ({data['message']})"
        case "failure":
            return f"failure: {data['error_type']}, {data['action']}"
        case "none_response" | "ended":
            return kind
        case _:
            return ""
