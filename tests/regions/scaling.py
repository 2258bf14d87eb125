"""Scaling and updates of a region under calls, measured: `python -m tests.regions.scaling`."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from tests.chaos.processors import Processors
from tests.regions import updates, whisper
from tests.regions.findings import Bar, Finding, of_code, of_load, of_numbers, of_wakings, of_wave
from tests.regions.page import section, terminal, unmet, with_section
from tests.regions.region import Region, running_region
from tests.regions.wave import ride

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "scaling.md"
TRACE = REPOSITORY / "tests" / "scaling" / "waves" / "seventy.json"
"""What the simulator is held against: see `serve_app.planning`."""
LOOKS_S = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.regions.scaling", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"some of {', '.join(PARTS)}; the page stays as it is")
    only = parser.parse_args().only
    before = Processors()
    time.sleep(LOOKS_S)
    others = before.busy
    with running_region() as region:
        findings = asyncio.run(measured(region, only or list(PARTS)))
    if not only:
        page = section(findings, others)
        DOCUMENT.write_text(with_section(DOCUMENT.read_text(encoding="utf-8"), page), encoding="utf-8")
    print("\n".join(f"NOT MET: {each}" for each in unmet(findings)) or "all bars are met")
    return 1 if unmet(findings) else 0


async def measured(region: Region, parts: Sequence[str]) -> list[Finding]:
    await region.use_gpus()
    findings = []
    for part in parts:
        begun = time.monotonic()
        findings.append(await _finding(part, region))
        print(f"{terminal(findings[-1])}\n({part}: {time.monotonic() - begun:.0f} s)", flush=True)
    return findings


async def _finding(part: str, region: Region) -> Finding:
    """What cannot be measured is found, too: the rest still can."""
    try:
        return await PARTS[part](region)
    except AssertionError as e:
        return Finding(part, f"Not measured: {e}.", (Bar("it can be measured", False),))


async def wave(region: Region) -> Finding:
    """Its trace is kept."""
    ridden = await ride(region)
    TRACE.parent.mkdir(parents=True, exist_ok=True)
    TRACE.write_text(json.dumps(ridden.trace()) + "\n", encoding="utf-8")
    return of_wave(ridden)


async def numbers(region: Region) -> Finding:
    return of_numbers(await updates.numbers(region))


async def code(region: Region) -> Finding:
    return of_code(await updates.code(region))


async def load(region: Region) -> Finding:
    return of_load(await whisper.load(region))


async def wakings(region: Region) -> Finding:
    """Once when LocalWhisper has slept for long; then each time when it has just gone to sleep again."""
    rests = [True, *[False] * whisper.REPETITIONS]
    return of_wakings([await whisper.wake(region, rested=rested) for rested in rests])


PARTS: Mapping[str, Callable[[Region], Awaitable[Finding]]] = {
    each.__name__: each for each in (wave, load, wakings, numbers, code)
}

if __name__ == "__main__":
    sys.exit(main())
