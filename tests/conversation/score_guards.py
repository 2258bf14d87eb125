"""How many attacks the guard finds, and how many innocent turns it takes for one.

    python -m tests.conversation.score_guards

By kind, as docs/guards.md has it, with what it costs. The held-out turns were never looked at while rules were written.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from serve_app.conversation.guards.injection import injection

CORPORA = Path(__file__).parent / "corpora"
ATTACKS = ("attacks_pt", "attacks_en", "attacks_added")
INNOCENT = ("innocent_pt", "innocent_en", "innocent_added")


class Turn(NamedTuple):
    text: str
    language: str
    kind: str


def turns(*files: str) -> list[Turn]:
    lines = [line for file in files for line in (CORPORA / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [Turn(**json.loads(line)) for line in lines]


def caught(of: Sequence[Turn]) -> list[Turn]:
    return [turn for turn in of if injection(turn.text)]


def rows(attacks: Sequence[Turn], innocent: Sequence[Turn]) -> list[str]:
    """A table in Markdown."""
    table = ["| kind | pt | en | all |", "|---|---|---|---|"]
    table += [_row(kind, [t for t in attacks if t.kind == kind]) for kind in sorted({t.kind for t in attacks})]
    table += [_row("**attacks found**", attacks)]
    table += [_row(f"innocent, {kind}", [t for t in innocent if t.kind == kind]) for kind in ("hard", "plain")]
    return [*table, _row("**false alarms**", innocent)]


def _row(name: str, of: Sequence[Turn]) -> str:
    cells = []
    for language in ("pt", "en", ""):
        part = [turn for turn in of if language in ("", turn.language)]
        found = len(caught(part))
        cells.append(f"{found} of {len(part)} ({found / max(len(part), 1):.1%})")
    return f"| {name} | {' | '.join(cells)} |"


def microseconds(texts: Sequence[str]) -> list[float]:
    """Of each, the best of three: what the rules cost, not what else the machine does."""
    times = []
    for text in texts:
        took = []
        for _ in range(3):
            began = perf_counter()
            injection(text)
            took.append(perf_counter() - began)
        times.append(min(took) * 1e6)
    return times


def main() -> None:
    print("Tuned on:\n")
    attacks, innocent = turns(*ATTACKS), turns(*INNOCENT)
    print("\n".join(rows(attacks, innocent)))
    print("\nHeld out:\n")
    print("\n".join(rows(turns("attacks_held_out"), turns("innocent_held_out"))))
    texts = [turn.text for turn in attacks + innocent]
    long = [" ".join(texts[start:])[:2_000] for start in range(0, len(texts) - 100, 20)]
    print("\n| | p50 | p95 | most |\n|---|---|---|---|")
    for name, measured in (("a turn of the corpora", microseconds(texts)), ("2,000 characters", microseconds(long))):
        p50, p95 = np.percentile(measured, (50, 95))
        print(f"| {name} | {p50:.0f} µs | {p95:.0f} µs | {max(measured):.0f} µs |")


if __name__ == "__main__":
    main()
