"""Data that were found in a text."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from serve_app.observability.redaction.tokens import Sort, Token


class Finding(NamedTuple):
    """`text[start:end]` is a datum of that kind."""

    start: int
    end: int
    kind: str


def masked(tokens: Sequence[Token], findings: Iterable[Finding]) -> list[Token]:
    """The tokens with each finding as a single one, which no number goes on across. No two findings overlap."""
    left, kept = sorted(findings, reverse=True), list[Token]()
    for token in tokens:
        while left and left[-1].end <= token.start:
            left.pop()
        if not left or token.end <= left[-1].start:
            kept.append(token)
        elif not kept or kept[-1].start != left[-1].start:
            kept.append(Token("", left[-1].start, left[-1].end, Sort.REPLACED))
    return kept


def replaced(text: str, findings: Iterable[Finding]) -> str:
    parts, end = list[str](), 0
    for finding in sorted(findings):
        parts += [text[end : finding.start], f"[{finding.kind}]"]
        end = finding.end
    return "".join([*parts, text[end:]])
