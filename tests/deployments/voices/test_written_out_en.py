"""Numbers in English."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.voices.written_out import write_out

SPOKEN = {
    # cardinals and decimals
    "0": "zero",
    "11": "eleven",
    "101": "one hundred and one",
    "1,234": "one thousand two hundred and thirty-four",
    "1,000,000": "one million",
    "1,234.56": "one thousand two hundred and thirty-four point five six",
    "12345.67": "twelve thousand three hundred and forty-five point six seven",
    "3.14": "three point one four",
    "1.234": "one point two three four",
    "-5": "minus five",
    "Windows 11": "Windows eleven",
    "1.5 million": "one point five million",
    # years
    "in 2026": "in twenty twenty-six",
    "1905": "nineteen oh-five",
    "2005": "two thousand and five",
    "May 2026": "May twenty twenty-six",
    "2020-2024": "twenty twenty to twenty twenty-four",
    "1234": "one thousand two hundred and thirty-four",
    # ordinals
    "1st": "first",
    "2nd": "second",
    "22nd": "twenty-second",
    "103rd": "one hundred and third",
    # money
    "$1,234.50": "one thousand two hundred and thirty-four dollars and fifty cents",
    "$1": "one dollar",
    "$0.50": "fifty cents",
    "$0.01": "one cent",
    "$0": "zero dollars",
    "$1.5 million": "one point five million dollars",
    "US$ 5": "five dollars",
    "R$ 5": "five reais",
    "R$ 1.01": "one real and one centavo",
    "€3.20": "three euros and twenty cents",
    "-$5": "minus five dollars",
    "$49.90/month": "forty-nine dollars and ninety cents per month",
    "$5.799": "five point seven nine nine dollars",
    # times
    "14:30": "fourteen thirty",
    "2:05": "two oh five",
    "2:00": "two o'clock",
    "14:00": "fourteen hundred",
    "2:30 pm": "two thirty PM",
    "2:30PM": "two thirty PM",
    "2:30 p.m.": "two thirty PM",
    "2 pm": "two PM",
    "12am": "twelve AM",
    "9am-5pm": "nine AM to five PM",
    # dates
    "11/22/2026": "November twenty-second twenty twenty-six",
    "22/11/2026": "November twenty-second twenty twenty-six",
    "05/06/2026": "May sixth twenty twenty-six",
    "22/11": "November twenty-second",
    "11/22": "November twenty-second",
    "2026-11-22": "November twenty-second twenty twenty-six",
    "November 22, 2026": "November twenty-second twenty twenty-six",
    "November 22": "November twenty-second",
    "Nov. 22nd, 2026": "November twenty-second twenty twenty-six",
    "May 5": "May fifth",
    "22 November 2026": "November twenty-second twenty twenty-six",
    # units
    "10%": "ten percent",
    "1 km": "one kilometer",
    "1.5 kg": "one point five kilos",
    "-5 °C": "minus five degrees Celsius",
    "72°F": "seventy-two degrees Fahrenheit",
    "5 h": "five hours",
    "10-20 min": "ten to twenty minutes",
    # digit by digit
    "90210": "nine zero two one zero",
    "(555) 123-4567": "(five five five, one two three, four five six seven",
    # not surely a number
    "9/10": "9/10",
    "7-Eleven": "7-Eleven",
    "$5m": "$5m",
    "10,5": "10,5",
    "I may, May I": "I may, May I",
    "the 1990s": "the 1990s",
}


def counted(words: str, first: int, step: int) -> dict[str, int]:
    return {word: first + index * step for index, word in enumerate(words.split())}


VALUES = (
    counted("zero one two three four five six seven eight nine ten eleven twelve", 0, 1)
    | counted("thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 13, 1)
    | counted("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10)
)
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "quadrillion": 10**15}


def heard(words: str) -> int:
    """The number that is spoken."""
    total = group = 0
    for word in words.replace("-", " ").replace(" and ", " ").split():
        if word in SCALES:
            total, group = total + group * SCALES[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += VALUES[word]
    return total + group


@pytest.mark.parametrize(("written", "spoken"), SPOKEN.items())
def test_spoken(written: str, spoken: str) -> None:
    assert write_out(written, "en").text == spoken
    assert write_out(f"Well, {written} and more.", "en").text == f"Well, {spoken} and more."


@given(st.integers(0, 10**18 - 1) | st.integers(0, 10**6))
@example(10**18 - 1)
def test_the_number_that_is_heard_is_the_number_that_is_written(number: int) -> None:
    assert heard(write_out(f"{number:,}", "en").text) == number
