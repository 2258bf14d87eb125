"""The data among a text's numbers."""

from collections.abc import Iterator, Sequence

from serve_app.observability.redaction import context, runs
from serve_app.observability.redaction.candidate import Candidate
from serve_app.observability.redaction.findings import Finding
from serve_app.observability.redaction.kinds import judged
from serve_app.observability.redaction.numerals import ENGLISH, PORTUGUESE
from serve_app.observability.redaction.phones import is_international
from serve_app.observability.redaction.runs import Number, Window
from serve_app.observability.redaction.tokens import Token, words

_ENGLISH = ENGLISH | words("the my is it i and of for to you your at number was on that this with yes")
_PORTUGUESE = PORTUGUESE | words("meu minha o é e do da de que para pra no na em voce numero sim nao com ta")
_STATES = words("ac al ap am ba ce df es go ma mt ms mg pa pb pr pe pi rj rn rs ro rr sc sp se to")
"""Of Brazil: they number identity cards."""


def numbers(text: str, tokens: Sequence[Token]) -> Iterator[Finding]:
    english = is_english(tokens)
    for run in runs.runs(text, tokens, english=english):
        yield from _chosen(text, tokens, run, english=english)


def is_english(tokens: Sequence[Token]) -> bool:
    """Whether "um" is a pause, and no number."""
    return sum((token.word in _ENGLISH) - (token.word in _PORTUGUESE) for token in tokens) > 0


def _chosen(text: str, tokens: Sequence[Token], run: Sequence[Number], *, english: bool) -> Iterator[Finding]:
    """The surest first, of them the longest; what overlaps them is out."""
    found = [(*judged(candidate), candidate.window) for candidate in _candidates(text, tokens, run, english=english)]
    taken: set[int] = set()
    for sure, kind, window in sorted(found, key=lambda each: (-each[0], -len(each[2].digits))):
        places = [number.token for number in window.numbers]
        if sure and taken.isdisjoint(places):
            taken.update(places)
            yield Finding(*_extent(text, tokens, window, kind), kind)


def _candidates(text: str, tokens: Sequence[Token], run: Sequence[Number], *, english: bool) -> Iterator[Candidate]:
    before: dict[int, str] = {}
    for window in runs.windows(run):
        first = window.numbers[0].token
        if first not in before:
            before[first] = context.before(tokens, first)
        said = before[first] or context.behind(tokens, window.numbers[-1].after)
        written = text[_bracket(text, window) : window.end]
        yield Candidate(window, said, written, _plus(tokens, window) >= 0, english)


def _extent(text: str, tokens: Sequence[Token], window: Window, kind: str) -> tuple[int, int]:
    if kind == "RG":
        return _issued(text, tokens, window)
    if kind != "PHONE":
        return window.start, window.end
    plus = _plus(tokens, window)
    is_part = plus >= 0 and is_international(window.digits)
    return tokens[plus].start if is_part else _bracket(text, window), window.end


def _bracket(text: str, window: Window) -> int:
    """Where it begins, with that of "(11) 98765-4321"."""
    start = window.start
    return start - 1 if text.startswith("(", max(0, start - 1), start) and ")" in text[start : window.end] else start


def _plus(tokens: Sequence[Token], window: Window) -> int:
    """The token of the + before it, or -1."""
    at = window.numbers[0].token - 1
    at -= at >= 0 and tokens[at].word == "("
    return at if at >= 0 and tokens[at].word in ("+", "mais", "plus") else -1


def _issued(text: str, tokens: Sequence[Token], window: Window) -> tuple[int, int]:
    """With the state before an identity card's number, and the X that may be its check digit."""
    first, after = window.numbers[0].token, window.numbers[-1].after
    state = first - 2 if first > 1 and tokens[first - 1].word == "-" else first - 1
    has_state = state >= 0 and tokens[state].word in _STATES and text[tokens[state].start : tokens[state].end].isupper()
    start = tokens[state].start if has_state else window.start
    last = after + (after < len(tokens) and tokens[after].word in ("-", "traco", "dash", "digito"))
    if last < len(tokens) and tokens[last].word in ("x", "xis"):
        return start, tokens[last].end
    return start, window.end
