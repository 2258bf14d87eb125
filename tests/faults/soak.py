"""Many calls at once, while every provider fails now and then: who was answered, how late, and what is left open."""

import asyncio
import gc
import os
import random
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import NamedTuple

from tests.beside import beside
from tests.fakes.elevenlabs_server import Fault
from tests.fakes.groq_server import Behaviour
from tests.faults.flaky_elevenlabs import FlakyElevenLabs
from tests.faults.line import Turn
from tests.faults.rig import LLM_S, STT_S, Rig

CALLS = 10
TURNS = 100
ERROR_RATE = 0.10
JITTER_S = 0.100
SEED = 4
APART_S = 0.35
"""Callers do not dial in chorus."""
OUTAGE_EVERY_S, OUTAGE_S = 8.0, 1.0
"""A provider at a time is gone wholly: nobody listens at its port, and what was open is broken off."""

PHRASES = ("yes please", "how are you", "i want to pay my bill", "no thank you", "please speak slowly")


class Open(NamedTuple):
    """What a process holds at a moment."""

    tasks: int
    files: int

    @classmethod
    def now(cls) -> "Open":
        gc.collect()
        return cls(len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")))


class Soaked(NamedTuple):
    """`alive`: calls that did not end by themselves. `faults`: how many the voice met by chance. `left`: contexts that
    were open at the voice when every connection had been closed here."""

    turns: list[Turn]
    alive: int
    faults: int
    left: int
    before: Open
    after: Open

    @property
    def unanswered(self) -> list[Turn]:
        return [turn for turn in self.turns if not turn.text]

    @property
    def silences(self) -> list[float]:
        """The longest of each turn, the shortest first."""
        return sorted(turn.silence_s for turn in self.turns)

    def count(self, kind: str) -> int:
        return sum(len(turn.of(kind)) for turn in self.turns)


async def soak() -> Soaked:
    await _calls(1, 1)  # what is opened once and for all is open from here on
    before = Open.now()
    turns, alive, rig = await _calls(CALLS, TURNS // CALLS)
    assert isinstance(rig.voice, FlakyElevenLabs)
    return Soaked(turns, alive, rig.voice.met, rig.contexts_left, before, Open.now())


async def _calls(calls: int, turns: int) -> tuple[list[Turn], int, Rig]:
    voice = FlakyElevenLabs(seed=SEED)
    async with Rig(voice=voice) as rig:
        _make_flaky(rig)
        async with beside(_outages(rig)):
            done = await asyncio.gather(*(_call(rig, number, turns) for number in range(calls)))
        voice.error_rate = 0.0
    return [turn for turns, _ in done for turn in turns], sum(alive for _, alive in done), rig


def _make_flaky(rig: Rig) -> None:
    assert rig.backup
    assert isinstance(rig.voice, FlakyElevenLabs)
    rig.stt.behaviours = {"stt": Behaviour(error_rate=ERROR_RATE, delay_s=STT_S, jitter_s=JITTER_S)}
    for llm in (rig.llm, rig.backup):
        llm.behaviours = {"chat": Behaviour(error_rate=ERROR_RATE, delay_s=LLM_S, jitter_s=JITTER_S)}
    rig.voice.error_rate, rig.voice.jitter_s = ERROR_RATE, JITTER_S


async def _call(rig: Rig, number: int, count: int) -> tuple[list[Turn], bool]:
    chance = random.Random(number)
    await asyncio.sleep(number * APART_S)
    async with rig.call() as line:
        turns = [await line.turn(chance.choice(PHRASES)) for _ in range(count)]
        return turns, line.lives


async def _outages(rig: Rig) -> None:
    """Whoever is gone is back in any case when this ends."""
    begin_and_end: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (rig.stt.stop, rig.stt.start),
        (rig.llm.stop, rig.llm.start),
        (partial(setattr, rig.voice, "fault", Fault.REFUSED), partial(setattr, rig.voice, "fault", None)),
    ]
    for begin, end in cycle(begin_and_end):
        await asyncio.sleep(OUTAGE_EVERY_S)
        await asyncio.to_thread(begin)
        try:
            await asyncio.sleep(OUTAGE_S)
        finally:
            await asyncio.shield(asyncio.to_thread(end))
