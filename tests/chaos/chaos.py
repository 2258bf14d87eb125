"""Faults against the real application with live conversations, and the page that tells what came of them."""

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.accounting import Row, lost_rows
from tests.chaos.crowd import Crowd
from tests.chaos.document import Result, document, terminal, unmet
from tests.chaos.faults import FAULTS, Fault, NotToBeHadError
from tests.chaos.newcomer import Newcomers
from tests.chaos.outcome import Outcome
from tests.chaos.processors import Processors
from tests.chaos.server import Site, running_site

DOCUMENT = Path(__file__).parents[2] / "docs" / "chaos.md"
WATCHED_S = 15.0
"""After a fault, at least."""
WHOLE_WITHIN_S = 60.0
LOOKS_S = 3.0
STORED_WITHIN_S = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Make docs/chaos.md anew.")
    parser.add_argument("only", nargs="*", help="faults with one of these words in their title; nothing is written")
    only = parser.parse_args().only
    before = Processors()
    time.sleep(LOOKS_S)
    others = before.busy
    with running_site() as site:
        results = asyncio.run(play([fault for fault in FAULTS if _is_wanted(fault, only)], site))
    if not only:
        DOCUMENT.write_text(document(results, others), encoding="utf-8")
    return 1 if any(unmet(*each) for each in results) else 0


def _is_wanted(fault: Fault, only: Sequence[str]) -> bool:
    return not only or any(word in fault.title for word in only)


async def play(faults: Sequence[Fault], site: Site) -> list[Result]:
    """One after another, each with callers of its own."""
    results: list[Result] = []
    for fault in faults:
        try:
            outcome: Outcome | str = await suffer(fault, site)
        except NotToBeHadError as e:
            outcome = str(e)
        print(terminal(fault, outcome), flush=True)
        results.append((fault, outcome))
    return results


async def suffer(fault: Fault, site: Site) -> Outcome:
    if fault.prepares:
        await fault.prepares(site)
    counts = {name: len(pids) for name, pids in site.parts.items()}
    counts["Gateway"] += fault.adds
    newcomers = Newcomers(site.server.ws_url)
    clock = asyncio.get_running_loop().time
    async with Crowd(site.server.url) as crowd:
        coming = asyncio.create_task(newcomers.come())
        processors, begun = Processors(), clock()
        broke = await fault.happens(site)
        whole_s = clock() - begun if await _whole(site, counts) else None
        await asyncio.sleep(WATCHED_S)
        busy = processors.busy
        coming.cancel()
        await crowd.leave()
    refused_s = newcomers.failed - begun if newcomers.failed else 0.0
    return Outcome(broke, crowd.calls, await _stored(site, crowd), refused_s, whole_s, busy)


async def _whole(site: Site, counts: Mapping[str, int]) -> bool:
    """When every part is there again, and the server calls itself ready."""
    deadline = asyncio.get_running_loop().time() + WHOLE_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.25)
        parts = await asyncio.to_thread(lambda: site.parts)
        enough = all(len(parts.get(name, [])) >= count for name, count in counts.items())
        if enough and await asyncio.to_thread(site.ready):
            return True
    return False


async def _stored(site: Site, crowd: Crowd) -> dict[str, list[Row]]:
    """Their records, as soon as these are complete, or when they should be."""
    calls = crowd.calls
    deadline = asyncio.get_running_loop().time() + STORED_WITHIN_S
    while True:
        stored = await site.postgres.rows([call.conversation_id for call in calls])
        complete = not any(lost_rows(call, stored[call.conversation_id]) for call in calls)
        if complete or asyncio.get_running_loop().time() > deadline:
            return stored
        await asyncio.sleep(1)
