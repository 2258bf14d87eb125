import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from serve_app.observability.redaction import numerals
from serve_app.observability.redaction.tokens import tokenise


def read(text: str, *, english: bool = False) -> str:
    """The digits of all numbers in the text, other words left out."""
    tokens, at, digits = tokenise(text), 0, []
    while at < len(tokens):
        number, after = numerals.read(tokens, at, english=english)
        digits.append(number)
        at = max(after, at + 1)
    return " ".join(filter(None, digits))


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("um dois três meia zero", "1 2 3 6 0"),
        ("cento e vinte e três, quatrocentos e cinquenta e seis", "123 456"),
        ("duzentos, cem, trezentas e duas", "200 100 302"),
        ("vinte e um dois", "21 2"),
        ("vinte três", "20 3"),
        ("mil duzentos e trinta e quatro", "1234"),
        ("dois mil e vinte e quatro, mil e um", "2024 1001"),
        ("três mil ao contrário", "3 0001"),
        ("barra mil invertido", "0001"),
        ("três zeros, dois noves", "000 99"),
        ("duplo 7", "77"),
        ("twelve thirty-four", "12 34"),
        ("twenty three, ninety-nine", "23 99"),
        ("nineteen oh five", "19 0 5"),
        ("four o seven", "4 0 7"),
        ("double five, triple nine, double oh seven", "55 999 00 7"),
        ("two zeros three fives", "00 555"),
        ("nine hundred one two three", "900 1 2 3"),
        ("nine hundred and one", "901"),
        ("twelve hundred, thirty-four hundred and five", "1200 3405"),
        ("one thousand two hundred", "1200"),
        ("double trouble, mil vezes o, meia-noite", "1000 6"),
    ],
)
def test_numbers_as_they_are_said(text: str, digits: str) -> None:
    assert read(text) == digits


def test_um_is_a_pause_in_english() -> None:
    assert read("one um two") == "1 1 2"
    assert read("one um two", english=True) == "1 2"


@given(st.integers(0, 9999))
def test_any_number_that_is_written_out(number: int) -> None:
    assert read(num2words(number, lang="pt_BR").replace(",", "")) == str(number)
    assert read(num2words(number, lang="en").replace(",", "")) == str(number)
