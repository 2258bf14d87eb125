"""How well personal data are found: `python -m tests.observability.score_redaction` prints docs/privacy.md's table.

The corpora's held-out parts are for this table alone: nobody looks into them to make the redactor better.
"""

import re
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from serve_app.observability.redaction import KINDS, redact

CORPORA = Path(__file__).parent / "corpora"
_KIND = re.compile(rf"\[({'|'.join(KINDS)})\]")
_REPEATS = 5


class Sentence(msgspec.Struct):
    text: str
    redacted: str


class Span(NamedTuple):
    start: int
    end: int
    kind: str


class Score(NamedTuple):
    """Over spans, a found one being right if kind and extent are. Seconds of each sentence, the best of a few."""

    sentences: int
    expected: int
    found: int
    right: int
    seconds: list[float]

    @property
    def recall(self) -> float:
        return self.right / self.expected

    @property
    def precision(self) -> float:
        return self.right / self.found

    @property
    def row(self) -> str:
        p50, p95 = statistics.median(self.seconds), statistics.quantiles(self.seconds, n=20)[-1]
        shares = f"{self.recall:.1%} | {self.precision:.1%}"
        return f"{self.sentences} | {self.expected} | {shares} | {p50 * 1e6:.0f} | {p95 * 1e6:.0f}"


def sentences(name: str) -> list[Sentence]:
    lines = (CORPORA / f"redaction_{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [msgspec.json.decode(line, type=Sentence) for line in lines if line]


def spans(text: str, redacted: str) -> set[Span]:
    """What of `text` was replaced in `redacted`. Raises ValueError if anything else was changed."""
    pieces = _KIND.split(redacted)
    kept, kinds = pieces[::2], pieces[1::2]
    match = re.fullmatch("(.+?)".join(map(re.escape, kept)), text, re.DOTALL)
    if match is None:
        raise ValueError(f"{redacted!r} is not {text!r} with something replaced")
    return {Span(*match.span(number), kind) for number, kind in enumerate(kinds, 1)}


def score(corpus: list[Sentence]) -> Score:
    expected = found = right = 0
    seconds = []
    for sentence in corpus:
        wanted, got = (spans(sentence.text, each) for each in (sentence.redacted, redact(sentence.text)))
        expected, found, right = expected + len(wanted), found + len(got), right + len(wanted & got)
        seconds.append(min(_took(partial(redact, sentence.text)) for _ in range(_REPEATS)))
    return Score(len(corpus), expected, found, right, seconds)


def _took(work: Callable[[], object]) -> float:
    since = time.perf_counter()
    work()
    return time.perf_counter() - since


def table() -> Iterator[str]:
    yield "| corpus | sentences | data | recall | precision | p50 µs | p95 µs |"
    yield "|---|---|---|---|---|---|---|"
    for part in ("", "held_out_"):
        for language in ("pt", "en"):
            yield f"| {part.replace('_', '-')}{language} | {score(sentences(part + language)).row} |"


if __name__ == "__main__":
    print(*table(), sep="\n")
