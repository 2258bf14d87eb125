"""Calls during which what they depend on is really ended: a process, a connection, a listening socket.

They are played side by side, before the first test.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.fakes.elevenlabs_server import Fault
from tests.fakes.groq_server import FakeGroq
from tests.faults.line import Line, Turn, until
from tests.faults.rig import ANSWERS, Rig

GREETING, QUESTION, LONG_QUESTION = "how are you", "i forgot my password", "i want to talk to an agent"


class Played(NamedTuple):
    """The turn in which something was killed, the one after it, and what else there is to see."""

    turn: Turn
    following: Turn
    seen: object
    hurried: bool = False
    """The line was bad, as it is on a busy machine: then the backup is asked first, as the quicker one."""


Score = Callable[[Rig, Line], Awaitable[Played]]


async def local_voice_in_mid_clause(rig: Rig, line: Line) -> Played:
    """It is stopped first: it makes a clause in a few milliseconds, too few to kill it in the middle otherwise."""
    rig.voice.fault = Fault.REFUSED
    pid = rig.proxy.local_pid
    os.kill(pid, signal.SIGSTOP)
    asked = len(rig.proxy.asked)
    turn = asyncio.create_task(line.turn(QUESTION))
    await until(lambda: len(rig.proxy.asked) > asked)
    await asyncio.sleep(0.3)  # ElevenLabs has refused by now
    os.kill(pid, signal.SIGKILL)
    return Played(await turn, await line.turn(GREETING), is_running(pid))


async def local_voice_between_clauses(rig: Rig, line: Line) -> Played:
    """It is asked for two clauses ahead: the third is not made yet when the first begins to sound."""
    rig.voice.fault = Fault.REFUSED
    heard, pid = len(line.heard), rig.proxy.local_pid
    turn = asyncio.create_task(line.turn(LONG_QUESTION))
    await until(lambda: len(line.heard) > heard)
    os.kill(pid, signal.SIGKILL)
    return Played(await turn, await line.turn(GREETING), is_running(pid))


async def elevenlabs_in_mid_clause(rig: Rig, line: Line) -> Played:
    """A TCP reset after the first piece of each clause."""
    before = len(rig.voice.contexts)
    rig.voice.fault = Fault.RESET
    turn = await line.turn(QUESTION)
    rig.voice.fault = None
    begun = [context.text for context in rig.voice.contexts[before:] if context.sent]
    return Played(turn, await line.turn(GREETING), begun)


async def groq_recogniser(rig: Rig, line: Line) -> Played:
    return await without(rig.stt, rig, line)


async def language_model(rig: Rig, line: Line) -> Played:
    return await without(rig.llm, rig, line)


async def without(groq: FakeGroq, rig: Rig, line: Line) -> Played:
    """Its listening socket is closed, and its connections are broken off."""
    await asyncio.to_thread(groq.stop)
    refused = await asyncio.to_thread(refuses, groq.url)
    turn = await line.turn(QUESTION)
    hurried = any(entry.kind == "line_quality" for entry in rig.log.entries)
    await asyncio.to_thread(groq.start)
    return Played(turn, await line.turn(GREETING), refused, hurried)


SCORES: list[Score] = [
    local_voice_in_mid_clause,
    local_voice_between_clauses,
    elevenlabs_in_mid_clause,
    groq_recogniser,
    language_model,
]


@pytest.fixture(scope="module")
def played() -> dict[Score, Played]:
    async def play(score: Score) -> Played:
        async with Rig() as rig, rig.call() as line:
            await line.turn(GREETING)
            return await score(rig, line)

    async def play_all() -> list[Played]:
        return await asyncio.gather(*map(play, SCORES))

    return dict(zip(SCORES, asyncio.run(play_all()), strict=True))


def is_running(pid: int) -> bool:
    """Not so a process that has ended and waits for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def refuses(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_the_caller_never_waits_for_long_and_is_answered_again(played: dict[Score, Played], score: Score) -> None:
    turn, following, *_ = played[score]
    assert turn.silence_s < 2
    assert following.text == ANSWERS[GREETING]


def test_a_clause_that_is_lost_with_its_voice_is_apologised_for(played: dict[Score, Played]) -> None:
    turn, following, is_alive, _ = played[local_voice_in_mid_clause]
    assert not is_alive
    assert turn.text.endswith("Sorry, I had a problem answering. Could you say that again, please?")
    assert following.of("fallback")[-1]["instead"] == "espeak", "a new process speaks"


def test_the_clauses_after_it_are_a_new_process_s(played: dict[Score, Played]) -> None:
    turn, _, is_alive, _ = played[local_voice_between_clauses]
    assert not is_alive
    assert turn.text == turn.said == ANSWERS[LONG_QUESTION]


def test_the_rest_of_a_clause_is_spoken_by_the_next_voice(played: dict[Score, Played]) -> None:
    turn, _, begun, _ = played[elevenlabs_in_mid_clause]
    assert isinstance(begun, list)
    assert any(text.startswith("You can choose") for text in begun), "ElevenLabs had begun it"
    assert turn.text == turn.said == ANSWERS[QUESTION]
    fallbacks = [data for data in turn.of("fallback") if data["instead"] == "espeak"]
    assert "closed the connection before the end" in fallbacks[0]["why"]


@pytest.mark.parametrize(("score", "stage"), [(groq_recogniser, "stt"), (language_model, "llm")])
def test_nobody_listens_any_more(played: dict[Score, Played], score: Score, stage: str) -> None:
    turn, _, refused, hurried = played[score]
    assert refused
    assert turn.text == ANSWERS[QUESTION]
    if stage == "stt" or not hurried:
        assert {data["stage"] for data in turn.of("fallback")} == {stage}
