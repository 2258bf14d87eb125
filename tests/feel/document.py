"""The results as a document, docs/feel.md."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.feel.caller import STOP_WITHIN_S
from tests.feel.outcome import Outcome
from tests.feel.player import SIDE_BY_SIDE
from tests.feel.table import report
from tests.feel.virtual import FIRST_SOUND_S, FIRST_TOKEN_S, RECOGNISED_S

DOCUMENT = Path(__file__).parents[2] / "docs" / "feel.md"

INTRODUCTION = f"""\
# How turn-taking feels

Scripted dialogues, measured: `make feel` makes this page. Each score says who speaks when, with which clip, over \
which line. An *overlap*: the agent is in the middle of a long answer (or its greeting), and over it come words that \
want the floor, listening noise, or a noise that is none of speech. A *pause*: the caller falls silent for 200-1000 \
ms in mid-sentence, as many of each length, and goes on.

In real time the scores are played against the server as `make run` starts it, {SIDE_BY_SIDE} calls at once, by a \
client that sends 20 ms frames on an absolute schedule; calls in which it was late itself are left out, or played \
again. In virtual time the same clips go through the same detector, conversation and judge, without a server. The \
providers are simulators: {RECOGNISED_S * 1000:.0f} ms for the words, {FIRST_TOKEN_S * 1000:.0f} ms for a first \
token, {FIRST_SOUND_S * 1000:.0f} ms for a first sound. The recogniser knows the words that were said by the end of \
what it is given, spells like Whisper, and leaves out filled pauses; it makes no mistakes, and finds no words in \
noise.

A quarter of the scores is held out: other phrases, voices, recordings and noises, written before anything was tuned.

*Stopped by*: the agent fell silent, at most {STOP_WITHIN_S:.0f} s after the overlap was over. *Duck*, *stop*: from \
the overlap's first sample to the first lower chunk, and to the `interruption`, on the wire; echoes have no onset to \
duck at. *Cut in*: the agent took the turn before the caller's true end; *heard in it*: and spoke. *Answer*: from the \
true end to when the turn was decided, providers apart. *Murmured*: "uhum", without taking the turn. A *timer* takes \
the turn after so much of the same detector's silence: the first is as quick as turn-taking at the median.

What to hold against these figures: most callers are espeak-ng, whose pauses have no melody (the turn-end model was \
made for people: its figures are those of the voice *human*); the human sentences are read, and their pauses were cut \
in; backchannels are espeak-ng's or a synthetic hum, never a person's.
"""


def write(real: Mapping[str, Sequence[Outcome]], virtual: Mapping[str, Sequence[Outcome]]) -> None:
    sections = [
        f"## {name}, in {time} time: {len(outcomes)} scores\n\n{_compact(report(outcomes))}"
        for name in real
        for time, outcomes in (("real", real[name]), ("virtual", virtual[name]))
    ]
    DOCUMENT.write_text("\n\n".join([INTRODUCTION.rstrip(), *sections]) + "\n", encoding="utf-8")


def _compact(tables: str) -> str:
    """Without the padding for terminals."""
    return re.sub(r"-{4,}", "---", re.sub(r" {2,}\|", " |", tables))
