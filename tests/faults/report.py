"""The fault matrix as a document: `python -m tests.faults` writes it, and fails if a rule is broken."""

import asyncio
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from tests.faults.matrix import LONGEST_SILENCE_S, Outcome, Stage, outcomes
from tests.faults.rig import LLM_S, STT_S, TTS_S

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"

INTRODUCTION = f"""\
# When a provider fails

What a caller hears then, measured: `python -m tests.faults` makes this page, and fails if a rule below is broken. \
`tests/faults/test_fault_matrix.py` holds the same calls to the same rules.

Each row is a call of three turns, in real time, over real sockets, with everything but Ray between them: one turn \
with everything well, one with the fault, one after the provider has healed. The providers are simulators of their \
wire protocols on ports of their own. Well, they take {STT_S * 1000:.0f} ms for an utterance, {LLM_S * 1000:.0f} ms \
for a first token and {TTS_S * 1000:.0f} ms for a first sound, and the caller hears the agent about 0.5 s after \
their last word.

*Refused connection*: nobody listens at the port any more, and every open connection is broken off. *Socket dies \
midway*: half of the answer, then a TCP reset. *Malformed*: an answer that is none of the protocol's.

The fallbacks: Groq's Whisper has the local one, the language model a second one at another address, ElevenLabs the \
local voice. Without: the local Whisper's process is killed when the fault begins, there is no second model, no \
local voice. What was prepared at the start then still speaks.

The rules: something is heard; no silence, from the caller's last sound to the agent's last, is longer than \
{LONGEST_SILENCE_S:.0f} s; no turn ends without a word; what happened, and what was heard of the agent, stands in \
the conversation's record; the call goes on; the next turn uses the healed provider, and no fallback.

*Heard*: what sounded, by the voice's own timing; in italics what came from audio prepared at the start. *First*: \
from the caller's last sound to the agent's first. *Silence*: the longest until the agent had finished. Both in ms, \
rounded.
"""

HEAD = """\
| fault | fallback | heard | first | silence | recorded | next turn |
|---|---|---|---|---|---|---|
"""


def main() -> int:
    logging.disable(logging.ERROR)  # the servers tell of every connection that is broken off on purpose
    found = asyncio.run(outcomes())
    DOCUMENT.write_text(document(found), encoding="utf-8")
    broken = [outcome for outcome in found if outcome.broken_rules]
    for outcome in broken:
        print(f"{outcome.cell}: broken: {'; '.join(outcome.broken_rules)}")
    print(f"{len(found)} calls, {len(broken)} of which break a rule: {DOCUMENT}")
    return 1 if broken else 0


def document(found: Sequence[Outcome]) -> str:
    sections = (_section(stage, [each for each in found if each.cell.stage is stage]) for stage in Stage)
    again = ", ".join(str(each.cell) for each in found if each.alone)
    note = f"\nRun a second time, by themselves, since they broke a rule beside others: {again}.\n" if again else ""
    return "\n".join([INTRODUCTION, *sections]) + note


def _section(stage: Stage, found: Sequence[Outcome]) -> str:
    return f"## {stage.value}\n\n{HEAD}" + "".join(map(_row, found))


def _row(outcome: Outcome) -> str:
    cell, faulty = outcome.cell, outcome.faulty
    cells = [
        cell.trouble.title,
        "there" if cell.has_fallback else "none left",
        _heard(outcome),
        _ms(faulty.first_s),
        _ms(faulty.silence_s),
        "<br>".join(outcome.records),
        _next(outcome),
    ]
    return f"| {' | '.join(text.replace('|', '/') for text in cells)} |\n"


def _heard(outcome: Outcome) -> str:
    text = outcome.faulty.text or "nothing"
    for line in outcome.prepared:
        text = text.replace(line, f"*{line}*")
    return re.sub(r"(?<=\w)\s*\*(?=\w)", "… *", text)  # where the voice was cut off


def _next(outcome: Outcome) -> str:
    if not outcome.lives:
        return "the call is over"
    return "uses it" if outcome.uses_it_again else "does not use it"


def _ms(seconds: float) -> str:
    return f"{round(seconds, 2) * 1000:.0f}"
