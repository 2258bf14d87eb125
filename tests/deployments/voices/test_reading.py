"""Digits that are no number, by their shape."""

import pytest

from deployments.voices.reading import CODE, DIGITS, any_of, spelled

NAMES = {digit: digit for digit in "0123456789"}

CODES = [
    "+55 11 98765-4321", "+55 (11) 98765-4321", "+5511987654321", "+1 555 123 4567", "+44 20 7946 0958",
    "11) 98765-4321", "555) 123-4567", "011) 3456-7890", "11 98765-4321", "98765-4321", "3456-7890",
    "0800 123 4567", "0300-123-4567", "555-123-4567", "1-800-123-4567", "555.123.4567", "555-1234", "555-0100",
    "123-45-6789", "123.456.789-09", "12.345.678-9", "12.345.678/0001-95", "01310-100", "90210-1234",
    "1234 5678 9012 3456", "1234-5678-9012-3456", "3782 822463 10005",
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_codes_are_known_by_their_shape(code: str) -> None:
    assert CODE.fullmatch(code)


@pytest.mark.parametrize(
    "number",
    ["2020-2024", "1999-2003", "1500-2000", "2000-3000", "500-1000", "10-20", "1.234.567", "+5", "1234 5678", "12 34"],
)
def test_numbers_are_no_codes(number: str) -> None:
    assert not CODE.match(number)


@pytest.mark.parametrize("digits", ["12345", "00", "007", "0123", "1" * 60])
def test_nobody_counts_so(digits: str) -> None:
    assert DIGITS.fullmatch(digits)


@pytest.mark.parametrize("number", ["0", "7", "1234"])
def test_this_is_how_one_counts(number: str) -> None:
    assert not DIGITS.match(number)


def test_a_separator_is_a_pause() -> None:
    assert spelled("123.456-7", NAMES) == "1 2 3, 4 5 6, 7"


def test_the_longer_is_sought_first() -> None:
    assert any_of({"k": 1, "km/h": 2, "km": 3}) == "km/h|km|k"
