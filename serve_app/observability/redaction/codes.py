"""Data of letters and digits: IBANs, and random Pix keys."""

import re
from collections.abc import Iterator, Sequence

from stdnum import iban

from serve_app.observability.redaction import numerals
from serve_app.observability.redaction.findings import Finding
from serve_app.observability.redaction.pauses import HESITATIONS
from serve_app.observability.redaction.tokens import Sort, Token

_UUID = re.compile(r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])")
_BARE_UUID = re.compile(rf"{_UUID.pattern}|(?<!\w)[0-9a-fA-F]{{32}}(?!\w)")
_LENGTHS = """
    15 NO  16 BE  18 DK FI FK FO GL NL SD  19 MK SI  20 AT BA EE KZ LT LU MN XK  21 CH HR LI LV  22 BG BH CR DE GB GE IE
    ME RS VA  23 AE GI IL IQ OM SO TL  24 AD CZ ES MD PK RO SA SE SK TN VG  25 LY PT ST  26 IS TR  27 BI DJ FR GR IT
    MC MR SM  28 AL AZ BY CY DO GT HN HU LB NI PL SV  29 BR EG PS QA UA  30 JO KW MU YE  31 MT SC  32 LC  33 RU
"""
"""Of the countries' IBANs (SWIFT's registry)."""


def _by_country(lengths: str) -> dict[str, int]:
    countries, length = dict[str, int](), 0
    for each in lengths.split():
        if each.isdigit():
            length = int(each)
        else:
            countries[each.lower()] = length
    return countries


COUNTRIES = _by_country(_LENGTHS)
_MOST_TOKENS = 90
_LETTERS = 4
"""Of a bank's code, at most, as one word."""


def pix_keys(text: str) -> Iterator[Finding]:
    """UUIDs, as the central bank makes them; without their dashes only where Pix is spoken of."""
    shape = _BARE_UUID if "pix" in text.lower() else _UUID
    yield from (Finding(*match.span(), "PIX") for match in shape.finditer(text))


def ibans(text: str, tokens: Sequence[Token], *, english: bool) -> Iterator[Finding]:
    end = 0
    for at, token in enumerate(tokens):
        if token.sort is Sort.WORD and token.start >= end:
            country, after = _country(tokens, at)
            if country and (after := _iban(text, tokens, country, after, english=english)):
                end = tokens[after - 1].end
                yield Finding(token.start, end, "IBAN")


def _country(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """Its code, in one word or two letters, and the token after it."""
    word, after = tokens[at].word, at + 1
    if len(word) == 1 and after < len(tokens):
        after += _spelling(tokens, after) or tokens[after].word in (",", ".", "-")
        word += tokens[after].word if after < len(tokens) else ""
        after += 1
    return (word, after) if word in COUNTRIES else ("", after)


def _iban(text: str, tokens: Sequence[Token], country: str, at: int, *, english: bool) -> int:
    """The token after it; 0: it is none."""
    number, limit = country, min(len(tokens), at + _MOST_TOKENS)
    while at < limit and len(number) < COUNTRIES[country]:
        digits, after = numerals.read(tokens, at, english=english)
        if not digits:
            skipped = _spelling(tokens, at) if number[-1].isalpha() else 0
            digits, after = ("", at + skipped) if skipped else (_letters(text, tokens[at]), at + 1)
        if digits == "?":
            return 0
        number, at = number + digits, after
    return at if len(number) == COUNTRIES[country] and iban.is_valid(number) else 0


def _spelling(tokens: Sequence[Token], at: int) -> int:
    """Tokens that say which letter was meant: "as in bravo", "de bola"."""
    if tokens[at].word not in ("as", "for", "de"):
        return 0
    return 3 if tokens[at].word == "as" else 2


def _letters(text: str, token: Token) -> str:
    """What it adds: nothing, if it is a mark or a pause; "?": something else begins."""
    if token.sort is Sort.MARK:
        return "" if token.word in ".,-…" else "?"
    written = text[token.start : token.end]
    if token.sort is Sort.WORD and len(written) <= _LETTERS and written.isascii() and written.isupper():
        return written
    if token.word in HESITATIONS or token.word in ("espaco", "space", "traco", "dash", "ponto", "dot"):
        return ""
    return written if token.sort is Sort.WORD and len(written) == 1 and written.isascii() else "?"
