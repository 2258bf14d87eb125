"""Text -> tokens with their places: words, digits, marks, and what is plainly no personal number."""

import re
import unicodedata
from enum import Enum, auto
from typing import NamedTuple

from serve_app.conversation.personal_data import KINDS


class Sort(Enum):
    WORD = auto()
    DIGITS = auto()
    MARK = auto()
    OTHER = auto()
    """Dates, times, amounts, addresses of machines."""
    REPLACED = auto()
    """By its kind, or to be."""


class Token(NamedTuple):
    """`text[start:end]`. `word`: in lower case and without accents, but for "é" and other single letters, and without
    "'s"; digits as 0-9."""

    word: str
    start: int
    end: int
    sort: Sort


# Repetitions are possessive or bounded: no text takes more than a few looks at each character.
_TOKEN = re.compile(
    rf"(?P<REPLACED>\[(?:{'|'.join([*KINDS, 'REDACTED'])})\])"
    r"""
  | (?P<OTHER>
        (?<![\d.,/-])(?:
            (?:R\$|US\$|[$€£])[ ]?\d[\d.,]*+
          | \d{1,3}(?:\.\d{3}){1,5},\d{2}(?!\d)
          | \d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,9})?(?![\d,])
          | \d{1,9}(?:[.,]\d{1,9})?[ ]?%
          | \d{1,2}:\d{2}(?::\d{2})?(?!\d)
          | \d{1,2}/\d{1,2}(?:/(?:\d{4}|\d{2}))?(?![\d/])
          | \d{2}(?P<by>[.-])\d{2}(?P=by)(?:19|20)\d{2}(?![\d-])
          | (?:19|20)\d{2}-\d{2}-\d{2}(?![\d-])
          | (?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?![\d-]|\.\d)
        )
    )
  | (?P<DIGITS>\d++)
  | (?P<WORD>[^\W\d_]++(?:['’](?:s|t|re|m|d|ll|ve)\b)?)
  | (?P<MARK>\S)
    """,
    re.VERBOSE,
)
_SORTS = {sort.name: sort for sort in Sort}


def tokenise(text: str) -> list[Token]:
    return [
        Token(_plain(match[0]), *match.span(), _SORTS[match.lastgroup or "MARK"]) for match in _TOKEN.finditer(text)
    ]


def _plain(word: str) -> str:
    word = word.replace("’", "'").removesuffix("'s").replace("'", "")
    if word.isascii() or (len(word) == 1 and not word.isdecimal()):
        return word.lower()
    if word.isdecimal():
        return "".join(str(unicodedata.decimal(char)) for char in word)
    return "".join(char for char in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(char))


def words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())
