"""What callers say, and type, between the parts of a number."""

from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise

from serve_app.observability.redaction.tokens import Sort, Token, words


class Gap(IntEnum):
    """What is between two numbers."""

    CLOSE = 0
    """Nothing, or a mark of the datum's own."""
    SPACE = 1
    """White space, or such a mark in a word."""
    PAUSE = 2
    BREAK = 3
    """Something else: what follows is another number."""


_MARKS = {**dict.fromkeys(".-/()*‐‑‒–—−·•\u200b", Gap.CLOSE), **dict.fromkeys(",;…_+", Gap.PAUSE)}
_SEPARATORS = words(
    """
    ponto pontos traco tracinho hifen barra virgula espaco dot point dash hyphen slash stroke space
    """
)
HESITATIONS = words(
    """
    é e ã á ó eh ehh ah ahn aham ahm ai an ha han hein hm hmm hum humm hun uh uhm uhh um er erm em mm mmm ne ta tipo
    entao depois agora dai deixa eu ver espera perai pera calma minuto minutinho opa isso certo sim bom beleza ok okay
    and then next so like well wait right yes yeah let me see hold hang on you know sorry desculpa
    ddd numero number ultimo final digito digit finally last termina terminando ends ending
    """
)
"""Said while one thinks, is told that one is heard, or counts the parts up."""
_PAIRS = frozenset(
    pair
    for said in (
        "the number is",
        "area code is",
        "o numero é",
        "no final",
        "o final",
        "por ultimo",
        "termina com",
        "terminando com",
        "ends with",
        "ending with",
        "ends in",
        "ending in",
    )
    for pair in pairwise(said.split())
)
"""The same, of words that alone may say anything."""


def gap(text: str, tokens: Sequence[Token], at: int) -> Gap:
    """What the token at `at`, which is no number, makes of the place between two of them."""
    word, _, end, sort = tokens[at]
    if sort is Sort.MARK:
        ends_sentence = word == "." and text[end : end + 1].isspace()
        return Gap.PAUSE if ends_sentence else _MARKS.get(word, Gap.BREAK)
    if word in _SEPARATORS:
        return Gap.SPACE
    around = [token.word for token in tokens[max(0, at - 1) : at + 2]]
    return Gap.PAUSE if word in HESITATIONS or not _PAIRS.isdisjoint(pairwise(around)) else Gap.BREAK
