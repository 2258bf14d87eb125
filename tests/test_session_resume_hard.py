"""Calls in which much happens, cut wherever their record may end, once or several times: they go on elsewhere, from the
record alone, as if nothing had been.
"""

import random
from functools import cache

import pytest

from tests.call_scripts import SCRIPTS
from tests.continuity import check_against, check_wire
from tests.legs import Break, Leg, Mark, event_id, goes_on, play

SEEDS = 24


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
