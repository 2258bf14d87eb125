"""Numbers, amounts, times and dates written out as they are spoken, for voices that read them wrongly.

What is not surely a number is left as it is: digits in words ("B2B", "Covid-19"), addresses, versions, fractions.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from deployments.voices import written_out_en, written_out_pt
from deployments.voices.reading import CODE, DIGITS, Language, spelled

_LANGUAGES = {"pt": written_out_pt.LANGUAGE, "en": written_out_en.LANGUAGE}

# A number ends its word, and more of the word may follow a punctuation mark ("10.5.2", "10@example.com"), if it is
# no long dash.
_END = re.compile(r"(?!\w|(?!—)[^\w\s]\w)")
_HYPHEN = re.compile("[-–]")
_PLAIN = re.compile(r"[0-9]{1,9}(?![0-9])")


class WrittenOut(NamedTuple):
    """`origins[i]` is where in the original the character `text[i]` comes from, or, written out, what it stands for.

    They never fall, and the last one, beyond the text's end, is the length of the original.
    """

    text: str
    origins: Sequence[int]

    def origin(self, index: int) -> int:
        """Of any index: those beyond either end are taken for that end."""
        return self.origins[min(max(index, 0), len(self.text))]


def write_out(text: str, language: str) -> WrittenOut:
    """`text` as it is to be spoken in `language` ("pt-BR", "en"); unchanged in languages that are not known here."""
    known = _LANGUAGES.get(language.lower().partition("-")[0])
    if known is None:
        return WrittenOut(text, range(len(text) + 1))
    pieces: list[str] = []
    origins: list[int] = []
    done = 0
    for word in known.begins.finditer(text):
        start = word.end()
        if start < done or (read := _read(text, start, known)) is None:
            continue
        end, words = read
        pieces += text[done:start], words
        origins += range(done, start)
        origins += [start] * len(words)
        done = end
    return WrittenOut("".join([*pieces, text[done:]]), [*origins, *range(done, len(text) + 1)])


def _read(text: str, start: int, language: Language) -> tuple[int, str] | None:
    """Where what begins at `start` ends, and its words."""
    if (code := CODE.match(text, start)) and _END.match(text, code.end()):
        return code.end(), spelled(code[0], language.digits)
    if (quantity := _quantities(text, start, language)) and _END.match(text, quantity[0]):
        return quantity
    if (digits := DIGITS.match(text, start)) and _END.match(text, digits.end()):
        return digits.end(), spelled(digits[0], language.digits)
    return None


def _quantities(text: str, start: int, language: Language) -> tuple[int, str] | None:
    """One, or a range of two."""
    if (first := _quantity(text, start, language)) is None:
        return None
    hyphen = _HYPHEN.match(text, first[0])
    if not hyphen or (second := _quantity(text, hyphen.end(), language)) is None:
        return first
    if not _rises(text[start : first[0]], text[hyphen.end() : second[0]]):
        return None
    return second[0], f"{first[1]} {language.to} {second[1]}"


def _quantity(text: str, start: int, language: Language) -> tuple[int, str] | None:
    for reading in language.readings:
        if match := reading.pattern.match(text, start):
            return match.end(), reading.words(match)
    return None


def _rises(first: str, second: str) -> bool:
    """Two bare numbers are a range only if they rise: "3-1" is a score."""
    low, high = _PLAIN.fullmatch(first), _PLAIN.match(second)
    return not low or not high or int(low[0]) < int(high[0])
