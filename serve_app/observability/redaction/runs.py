"""Tokens -> runs of numbers that may be one datum, and the windows of a run in which to look for it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from serve_app.observability.redaction import numerals
from serve_app.observability.redaction.pauses import Gap, gap
from serve_app.observability.redaction.tokens import Sort, Token

_MOST_WORDS = 6
"""Between two numbers of one datum: "deixa eu ver aqui, espera"."""
SHORTEST, LONGEST = 6, 19
"""Digits of a datum."""
_MOST_CHUNKS = 8
_BARCODES = (44, 47, 48)
"""Digits of a boleto: its bar code, its line for typing, and that of a utility's bill."""


class Number(NamedTuple):
    """`digits` of what is said or typed as one number, `text[start:end]`; `token`: its first; `gap`: what is before."""

    digits: str
    start: int
    end: int
    token: int
    after: int
    gap: Gap


class Window(NamedTuple):
    """Neighbouring numbers. `clean`: what is around it is a pause or no number at all. `whole`: it is the run."""

    digits: str
    numbers: Sequence[Number]
    clean: bool
    whole: bool

    @property
    def start(self) -> int:
        return self.numbers[0].start

    @property
    def end(self) -> int:
        return self.numbers[-1].end

    @property
    def groups(self) -> tuple[int, ...]:
        """How many digits each of its numbers has."""
        return tuple(len(number.digits) for number in self.numbers)

    @property
    def phrases(self) -> tuple[int, ...]:
        """How many digits there are between pauses."""
        return tuple(sum(len(number.digits) for number in chunk) for chunk in _parted(self.numbers))


def runs(text: str, tokens: Sequence[Token], *, english: bool) -> Iterator[list[Number]]:
    """In order. Between the numbers of one are but marks, white space and hesitations."""
    run: list[Number] = []
    before, said, at, end = Gap.CLOSE, 0, 0, 0
    while at < len(tokens):
        token = tokens[at]
        digits, after = numerals.read(tokens, at, english=english)
        before = max(before, Gap.SPACE if token.start > end else Gap.CLOSE)
        if digits and not _is_in_code(text, token):
            if run and before is Gap.BREAK:
                yield run
                run = []
            run.append(Number(digits, token.start, tokens[after - 1].end, at, after, before if run else Gap.CLOSE))
            before, said, at = Gap.CLOSE, 0, after
        else:
            said += token.sort is Sort.WORD
            before = max(before, gap(text, tokens, at) if said <= _MOST_WORDS else Gap.BREAK)
            at += 1
        end = tokens[at - 1].end
    if run:
        yield run


def _is_in_code(text: str, token: Token) -> bool:
    """Digits with a letter right before or behind them are part of a name or a code."""
    if token.sort is not Sort.DIGITS:
        return False
    before, behind = text[max(0, token.start - 1) : token.start], text[token.end : token.end + 2]
    return before.isalpha() or before == "_" or (behind[:1].isalpha() and behind[:1] not in "xX") or behind[:1] == "_"


def windows(run: Sequence[Number]) -> Iterator[Window]:
    """Those that may be a datum of their own: whole chunks, and typed groups within one."""
    total = sum(len(number.digits) for number in run)
    if total in _BARCODES:
        return
    chunks = _chunks(run)
    for first in range(len(chunks)):
        numbers: list[Number] = []
        for chunk in chunks[first : first + _MOST_CHUNKS]:
            numbers = [*numbers, *chunk]
            digits = "".join(number.digits for number in numbers)
            if len(digits) > LONGEST:
                break
            if len(digits) >= SHORTEST:
                yield Window(digits, numbers, True, len(digits) == total)
    for chunk in chunks:
        yield from _groups(chunk)


def _chunks(run: Sequence[Number]) -> list[list[Number]]:
    """The parts between pauses; the whole run if it is said digit by digit, or in pairs, with a pause behind each."""
    chunks = _parted(run)
    if all(sum(len(number.digits) for number in chunk) <= 2 for chunk in chunks):
        return [list(run)]
    return chunks


def _parted(numbers: Sequence[Number]) -> list[list[Number]]:
    """By pauses."""
    chunks: list[list[Number]] = []
    for number in numbers:
        if not chunks or number.gap >= Gap.PAUSE:
            chunks.append([])
        chunks[-1].append(number)
    return chunks


def _groups(chunk: Sequence[Number]) -> Iterator[Window]:
    """Up to five numbers, with white space around them."""
    for first in range(len(chunk)):
        if first and chunk[first].gap < Gap.SPACE:
            continue
        for last in range(first, min(first + 5, len(chunk))):
            if (first or last + 1 < len(chunk)) and (last + 1 == len(chunk) or chunk[last + 1].gap >= Gap.SPACE):
                numbers = chunk[first : last + 1]
                digits = "".join(number.digits for number in numbers)
                if SHORTEST <= len(digits) <= LONGEST:
                    yield Window(digits, numbers, False, False)
