"""20,000 hostile frames: whoever is refused is told why, nobody else notices, and nothing of it stays behind."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Sequence
from random import Random, SystemRandom
from statistics import median
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation import server_messages
from tests.acceptance.hostile import SECRET, Fate
from tests.acceptance.hostile_clients import HUNG_UP, LAST_REASON, End, Leave, attack, attacks, strike
from tests.acceptance.server import Server
from tests.acceptance.test_wire_frames import MESSAGES, schemas
from tests.acceptance.watch import Logs, Turn, gateway_mb, until_open, witness

SEED = int(os.environ.get("HOSTILE_SEED") or SystemRandom().randrange(2**32))
"""Every failure names it; in the environment, it repeats the attacks."""
ROUNDS, FRAMES = 2, 10_000  # in each
AT_ONCE, LENGTH = 40, 100  # connections, frames of each
REFUSALS = {1000, 1002, 1008, 1013}
BELOW_US = {1002, 1007, 1009}
"""What the WebSocket library breaks a connection off with. No error event comes before it, and with 1007 no reason; and
since it leaves unread what else has come, the close frame itself may be lost."""
QUIET_TURNS = 12
NOTICED_S = 0.3
"""Later than before, in the median, or three times as late, is what a caller would notice."""
MEMORY_MB = 40
"""More after the second round than after the first, which shows what memory allocators keep."""


async def attacked(ws_url: str, random: Random) -> list[End]:
    """One round."""
    coming, ends = attacks(random, LENGTH), list[End]()

    async def client() -> None:
        while sum(end.written for end in ends) < FRAMES:
            ends.append(await strike(ws_url, next(coming)))

    async with asyncio.TaskGroup() as clients:
        for _ in range(AT_ONCE):
            clients.create_task(client())
    return ends


def check(end: End) -> None:
    """What every connection must have come to."""
    story = f"HOSTILE_SEED={SEED}: {end.close} after {end.messages[-1:]}; sent: {end.attack.culprits}"
    events = [json.loads(message) for message in end.messages if isinstance(message, str)]
    assert len(events) == len(end.messages), f"a binary frame: {story}"
    breaks = any(frame.fate is Fate.BREAKS for frame in end.attack.frames)
    for number, event in enumerate(events):
        assert (event["type"] == "conversation_initiation_metadata") == (number == 0), story
    if end.close is None:
        assert breaks or end.attack.leave is Leave.VANISHES, story
    elif end.close.code == HUNG_UP:
        assert end.attack.leave is Leave.HANGS_UP, story
    elif breaks:
        assert end.close.code in REFUSALS | BELOW_US, story
    else:
        check_refusal(end, events, story)


def check_refusal(end: End, events: list[dict[str, Any]], story: str) -> None:
    assert end.close
    assert end.close.code in REFUSALS, story
    assert end.close.reason, story
    if events and end.close.code in server_messages.ERROR_CODES:
        assert events[-1]["type"] == "error", story
        assert events[-1]["error_event"]["code"] == end.close.code, story
    if end.attack.harmless:
        assert LAST_REASON in end.close.reason, story


def check_shapes(ends: Sequence[End]) -> None:
    events = [json.loads(message) for end in ends for message in end.messages]
    assert {event["type"] for event in events} <= server_messages.SERVER_MESSAGES.keys()
    if MESSAGES.exists():
        validators = {kind: jsonschema.Draft202012Validator(schema) for kind, schema in schemas().items()}
        for event in events:
            validators[event["type"]].validate(event)


def check_latencies(turns: Sequence[Turn]) -> None:
    for kind in Turn._fields:
        seconds = [getattr(turn, kind) for turn in turns]
        quiet, then = median(seconds[:QUIET_TURNS]), median(seconds[QUIET_TURNS:])
        print(
            f"{kind}: p50 {quiet * 1000:.0f} ms, among {AT_ONCE} attackers {then * 1000:.0f} ms, worst {max(seconds)}"
        )
        assert then < max(3 * quiet, quiet + NOTICED_S), kind


def test_nobody_notices_hostile_clients_and_nothing_stays_behind(server: Server) -> None:
    print(f"HOSTILE_SEED={SEED}")  # shown with a failure
    logs, ends, levels_mb = Logs(server), list[End](), list[float]()

    async def scenario() -> list[Turn]:
        await until_open(server, 0)
        async with witness(server, Random(SEED)) as beside:
            await beside.take_turns(QUIET_TURNS)
            async with beside.going_on():
                for number in range(ROUNDS):
                    ends.extend(await attacked(server.ws_url, Random(SEED + number)))
                    await until_open(server, 1)
                    levels_mb.append(gateway_mb(server))
        await until_open(server, 0)
        return beside.turns

    turns = asyncio.run(scenario())
    print(f"{sum(end.written for end in ends)} frames, {len(ends)} connections, {len(turns)} turns, {levels_mb} MB")
    print(Counter(end.close and end.close.code for end in ends))
    for end in ends:
        check(end)
    assert any(end.attack.harmless for end in ends)
    check_shapes(ends)
    check_latencies(turns)
    assert levels_mb[-1] - levels_mb[0] < MEMORY_MB
    assert logs.complaints() == []
    lines = list(logs.lines())
    assert lines, "the server writes somewhere else by now"
    assert not [line for line in lines if SECRET in line]


@settings(max_examples=200, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_whatever_comes_is_taken_or_refused_with_a_reason(server: Server, random: Random) -> None:
    """Nearly the same attacks, one at a time, so that hypothesis finds the shortest that does harm."""
    check(asyncio.run(strike(server.ws_url, attack(random, 12)._replace(pause_s=0.0))))
