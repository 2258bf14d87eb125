"""How turn-taking feels: plays the scores and prints what came of them.

python -m tests.feel                  all of them in real time against a real server, and docs/feel.md with both
python -m tests.feel --virtual        in virtual time, without a server: the same in a minute or two
    [--tuned | --held-out] [--only PATTERN] [-v]
"""

import argparse
import asyncio
import logging
import multiprocessing
import os
import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from tests.feel import document, held_out, tuned
from tests.feel.clips import available, clip
from tests.feel.outcome import Outcome
from tests.feel.player import Performance, perform
from tests.feel.rates import percentile
from tests.feel.score import Score
from tests.feel.server import serving
from tests.feel.table import line, report, wrong
from tests.feel.virtual import play

SETS = {each.name: each for each in (tuned.MATERIAL, held_out.MATERIAL)}
MOST_LATE = 0.02
"""Share of the calls that may have been spoilt by a late player, even alone; with more there is no result."""


def main() -> int:
    arguments = _arguments()
    chosen = {name: scores(name, arguments.only) for name in arguments.sets}
    began = time.monotonic()
    if arguments.virtual:
        outcomes = {name: virtual(each) for name, each in chosen.items()}
        _print("in virtual time", outcomes, arguments.verbose)
    else:
        found = _real(chosen)
        if found is None:
            return 1
        _print("in real time", found, arguments.verbose)
        if not arguments.only and len(chosen) == len(SETS):
            document.write(found, {name: virtual(each) for name, each in chosen.items()})
    print(f"{time.monotonic() - began:.0f} s")
    return 0


def scores(name: str, only: str = "") -> list[Score]:
    """Of a set, those whose name, voice or line the pattern is found in, and whose recordings are there."""
    return [
        score
        for score in SETS[name].scores()
        if re.search(only, f"{score.name} {score.source} {score.line.name}") and all(map(available, score.sounds))
    ]


def virtual(chosen: Sequence[Score]) -> list[Outcome]:
    """On every core."""
    _render(chosen)
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("fork")) as pool:
        return list(pool.map(play, chosen, chunksize=4))


def _real(chosen: dict[str, list[Score]]) -> dict[str, list[Outcome]] | None:
    """None: the player was too late too often."""
    everything = [score for each in chosen.values() for score in each]
    _render(everything)
    logging.disable(logging.ERROR)  # the simulators tell of every request that is broken off, as many are
    with serving(everything) as served:
        performances = asyncio.run(perform(everything, served))
        changes = served.changes()
    late = sum(each.late for each in performances)
    print(_punctuality(performances))
    if late > MOST_LATE * len(performances):
        print(f"No result: the player was late in {late} of {len(performances)} calls. Is the machine busy?")
        return None
    outcomes = {
        each.score.name: replace(each.outcome, changes=changes.get(each.conversation_id, ()))
        for each in performances
        if not each.late
    }
    return {name: [outcomes[score.name] for score in each if score.name in outcomes] for name, each in chosen.items()}


def _render(chosen: Iterable[Score]) -> None:
    """All clips, in one order: espeak-ng's output depends on what it said before, and so the same scores sound the same
    each time."""
    for score in chosen:
        for sound in (score.first, *score.sounds):
            if sound:
                clip(sound)


def _punctuality(performances: Sequence[Performance]) -> str:
    lateness = [late for each in performances for late in each.lateness]
    high, worst = (1000 * (percentile(lateness, share) or 0.0) for share in (0.99, 1.0))
    spoilt = sum(each.late for each in performances)
    return f"The player: frames {high:.0f} ms late (p99), {worst:.0f} ms (worst), {spoilt} calls spoilt.\n"


def _print(how: str, found: dict[str, list[Outcome]], verbose: int) -> None:
    for name, outcomes in found.items():
        if not outcomes:
            continue
        print(f"# {name}: {len(outcomes)} scores, {how}\n\n{report(outcomes)}\n")
        for outcome in outcomes:
            if verbose > 1 or (verbose and wrong(outcome)):
                print(line(outcome))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.feel")
    parser.add_argument("--virtual", action="store_true", help="in virtual time, without a server")
    parser.add_argument("--tuned", dest="sets", action="store_const", const=["tuned"], help="only these scores")
    parser.add_argument("--held-out", dest="sets", action="store_const", const=["held-out"], help="only these scores")
    parser.add_argument("--only", default="", metavar="PATTERN", help="in a score's name, voice or line")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="tell what went wrong; twice: tell all")
    parser.set_defaults(sets=list(SETS))
    return parser.parse_args()
