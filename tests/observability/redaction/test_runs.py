import pytest

from serve_app.observability.redaction.runs import Window, runs, windows
from serve_app.observability.redaction.tokens import tokenise


def read(text: str) -> list[list[str]]:
    return [[number.digits for number in run] for run in runs(text, tokenise(text), english=False)]


def seen(text: str) -> list[Window]:
    return [window for run in runs(text, tokenise(text), english=False) for window in windows(run)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("123 ponto 456, ahn, 7", [["123", "456", "7"]]),
        ("são 12 e do outro 34", [["12"], ["34"]]),
        ("12? 34", [["12"], ["34"]]),
        ("1 é é é é é é é 2", [["1"], ["2"]]),
        ("a1 b2c 3 _4 5x", [["3"], ["5"]]),
        ("12:30 às 14 em 01/02/2024", [["14"]]),
        ("sem números", []),
    ],
)
def test_numbers_go_on_over_pauses_and_nothing_else(text: str, expected: list[list[str]]) -> None:
    assert read(text) == expected


def test_the_whole_run_and_its_chunks() -> None:
    found = [(window.digits, window.clean, window.whole) for window in seen("123456, 9876543")]
    assert found == [("123456", True, False), ("1234569876543", True, True), ("9876543", True, False)]


def test_typed_groups_between_blanks() -> None:
    assert ("987654321", False) in [(window.digits, window.clean) for window in seen("12 98765-4321 34")]


@pytest.mark.parametrize("text", ["um, dois, três, quatro, cinco, seis, sete", "12, 34, 56, 78"])
def test_a_number_said_bit_by_bit_is_not_looked_at_in_parts(text: str) -> None:
    assert [window.whole for window in seen(text) if window.clean] == [True]


def test_a_bar_code_has_no_parts() -> None:
    assert seen("34191.79001 01043.510047 91020.150008 1 84410026000000") == []
