"""A long load with people who hang up as they like, and what is left of it: `python -m tests.soak`."""

import argparse
import asyncio
import math
import tempfile
import time
from pathlib import Path

from tests.acceptance.server import Server, running_server
from tests.acceptance.test_bad_input import conversations_open
from tests.soak.callers import RUDE, Callers
from tests.soak.capacity import percentiles
from tests.soak.growth import MB, broken_bars, table
from tests.soak.roomy import roomy_config
from tests.soak.vitals import Vitals

TYPED, SPOKEN = 85, 7
"""Callers: each a quarter of what two cores hold of that kind alone (`benchmarks/capacity.py`), half together."""
MINUTES = 30.0
WARM_UP_MINUTES = 8.0
"""What the first calls bring in stays: models, code, buffers, a heap as large as that many calls need."""
OVER_WITHIN_S = 150.0
"""A conversation whose caller is gone, with the right to come back, ends a minute later."""
REST_S = 320.0
"""The database's pool closes what nobody has used for 300 s. Python's collector and the metrics are quicker."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Load the server for long, and see what it keeps.")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--typed", type=int, default=TYPED, help="callers who type")
    parser.add_argument("--spoken", type=int, default=SPOKEN, help="callers who speak")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="hello-") as folder,
        running_server(Path(folder), config=roomy_config(Path(folder))) as server,
    ):
        return asyncio.run(soak(server, arguments.minutes, arguments.typed, arguments.spoken))


async def soak(server: Server, minutes: float, typed: int, spoken: int) -> int:
    """Prints how it goes, and what grew. 1 if something did that must not, or went wrong."""
    print(f"{typed} callers who type, {spoken} who speak; first, {WARM_UP_MINUTES:g} minutes to warm up", flush=True)
    wrong = await load(server, WARM_UP_MINUTES, typed, spoken)
    before = await at_rest(server)
    print(f"now {minutes:g} minutes", flush=True)
    wrong += await load(server, minutes, typed, spoken)
    after = await at_rest(server)
    print("\n".join(table(before, after)))
    broken = [*broken_bars(before, after), *wrong]
    print("\n".join(f"NOT MET: {each}" for each in broken) or "all bars are met")
    return 1 if broken else 0


async def load(server: Server, minutes: float, typed: int, spoken: int) -> list[str]:
    """What went wrong. A line is printed each minute."""
    begun = time.monotonic()
    async with Callers(server.ws_url, RUDE) as callers:
        callers.add(typed, typed=True)
        callers.add(spoken, typed=False)
        for minute in range(1, math.ceil(minutes) + 1):
            await asyncio.sleep(min(60.0 * minute, 60.0 * minutes) - (time.monotonic() - begun))
            print(f"{minute:2} min: {await asyncio.to_thread(progress, server, callers)}", flush=True)
            callers.answers.clear()
    return [f"{times} x {what}" for what, times in callers.met.items()]


def progress(server: Server, callers: Callers) -> str:
    """What was done so far, how long answers took since the last line, and what the server holds."""
    waits = (
        "{} p50 {:.0f} p95 {:.0f} ms".format(kind, *(1000 * s for s in percentiles(answers)))
        for kind, answers in (
            ("typed", [answer for answer in callers.answers if answer.typed]),
            ("spoken", [answer for answer in callers.answers if not answer.typed]),
        )
        if answers
    )
    now = Vitals.of(server)
    holds = f"{now.memory / MB:.0f} MB, {now.tasks} tasks, {now.sockets} sockets, {now.connections} connections"
    did = ", ".join(f"{times} {what}" for what, times in sorted(callers.did.items()))
    met = "".join(f"; {times} x {what}" for what, times in callers.met.items())
    return f"{did}; {'; '.join(waits)}; {conversations_open(server)} conversations, {holds}{met}"


async def at_rest(server: Server) -> Vitals:
    """When the last conversation is over, and a while later. Raises TimeoutError if they do not end."""
    await asyncio.to_thread(until_over, server)
    await asyncio.sleep(REST_S)
    return await asyncio.to_thread(Vitals.of, server)


def until_over(server: Server) -> None:
    deadline = time.monotonic() + OVER_WITHIN_S
    while conversations_open(server):
        if time.monotonic() > deadline:
            raise TimeoutError(f"conversations are still open {OVER_WITHIN_S:.0f} s after their callers left")
        time.sleep(1)
