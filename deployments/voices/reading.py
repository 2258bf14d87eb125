"""What the languages share of reading aloud: how a reading is written down, patterns, and digits that are no number."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from num2words import num2words


class Reading(NamedTuple):
    """Text that `pattern` matches is read as `words` says.

    A pattern sees a text anybody wrote: all its repetitions are bounded.
    """

    pattern: re.Pattern[str]
    words: Callable[[re.Match[str]], str]


class Language(NamedTuple):
    """`readings` are tried in order, wherever `begins` ends. `to` joins a range; `digits` names each digit."""

    begins: re.Pattern[str]
    readings: tuple[Reading, ...]
    to: str
    digits: Mapping[str, str]


CODE = re.compile(
    r"""(?:
      \+[0-9]{1,3}(?:[ ]?\([0-9]{1,4}\))?(?:[ .-][0-9]{2,5}){1,3} | \+[0-9]{6,15}          # telephones: abroad,
    | [0-9]{2,4}\)[ ]?[0-9]{3,5}[ .-]?[0-9]{4} | [0-9]{2}[ ]9?[0-9]{4}-[0-9]{4}            # with an area code,
    | 0[38]00[ .-]?[0-9]{3}[ .-]?[0-9]{4} | (?:1[ -])?[0-9]{3}[-.][0-9]{3}[-.][0-9]{4}
    | (?!(?:19|20)[0-9]{2}-(?:19|20)|[0-9]{2}00-[0-9]{2}00)(?:9[0-9]|[2-5])[0-9]{3}-[0-9]{4} # in town: no two years,
    | (?![0-9]{2}0-[1-9][0-9]{2}0)[2-9][0-9]{2}-[0-9]{4}                                   # no two round numbers
    | [0-9]{3}-[0-9]{2}-[0-9]{4}                                                           # social security number
    | [0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2} | [0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9]         # CPF, RG
    | [0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}                                       # CNPJ
    | [0-9]{5}-[0-9]{3,4}                                                                  # CEP, ZIP+4
    | [0-9]{4}(?:[ -][0-9]{4}){3} | [0-9]{4}[ -][0-9]{6}[ -][0-9]{5}                       # cards
    )(?![0-9])""",
    re.VERBOSE,
)
"""The shapes of telephone numbers, documents, postal codes and cards."""

DIGITS = re.compile(r"[0-9]{5,}+|0[0-9]++")
"""Nobody counts with so many digits in a row, or with a zero in front."""

DAY = r"(?P<day>0?[1-9]|[12][0-9]|3[01])"
MONTH = r"(?P<month>0?[1-9]|1[0-2])"
DATE = re.compile(r"(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])(?![0-9])")
"""As ISO 8601 writes it; like the other two, a pattern whose groups are day, month and year."""


def spelled(code: str, digits: Mapping[str, str]) -> str:
    """Digit by digit, with a pause (a comma) wherever the code has a separator."""
    return ", ".join(" ".join(digits[digit] for digit in group) for group in re.findall("[0-9]+", code))


def beginning(*months: str) -> re.Pattern[str]:
    """What comes before a number, up to where it, or one of `months` (patterns), begins.

    Numbers begin words, behind an opening bracket or quotation mark at most. Behind any other character they may be
    part of a name, an address or a formula.
    """
    numbers = (r"[-−–]?(?:(?:R|US)?\$|€|[0-9])", r"\+[0-9]")
    return re.compile(rf"(?:(?<=\s)|^)[\"'(\[{{“‘«¿¡—*]{{0,3}}+(?={'|'.join((*numbers, *months))})")


def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)


def price(number: str, currencies: Mapping[str, object], scales: Iterable[str]) -> re.Pattern[str]:
    """A `number` (a pattern) behind its currency, perhaps of thousands, millions and so on, or for each of something.

    Names the groups before (a minus sign), currency, scale and per, besides those of `number`.
    """
    return compiled(
        rf"""(?P<before>[-−–])?(?P<currency>{any_of(currencies)})\s?{number}
        (?:\s(?P<scale>{"|".join(scales)})(?!\w))?(?:/(?P<per>[^\W\d_]{{1,10}}+))?"""
    )


def measure(number: str, units: Mapping[str, object]) -> re.Pattern[str]:
    """A `number` (a pattern) before its unit, which is the group of that name."""
    return compiled(rf"{number}\s?(?P<unit>{any_of(units)})(?!\w)")


def spoken(number: int, language: str, form: str = "cardinal") -> str:
    """The words for a number; `language` and `form` ("cardinal", "ordinal", "year") are num2words' own names."""
    words: str = num2words(number, lang=language, to=form)
    return words.replace(",", "")  # they would be pauses


def any_of(words: Mapping[str, object]) -> str:
    """A pattern for the keys, the longer first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
