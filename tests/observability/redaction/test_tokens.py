import pytest

from serve_app.observability.redaction.tokens import Sort, tokenise


def plain(text: str) -> list[str]:
    return [token.word for token in tokenise(text)]


def test_words_are_in_lower_case_and_without_accents_but_single_letters() -> None:
    assert plain("Três É não, e Card's isn’t") == ["tres", "é", "nao", ",", "e", "card", "isnt"]


def test_digits_are_zero_to_nine_in_any_script() -> None:
    assert plain("٣１2") == ["312"]


def test_tokens_know_their_places() -> None:
    text = "É 12,\n№ 3"
    assert [text[token.start : token.end] for token in tokenise(text)] == ["É", "12", ",", "№", "3"]


@pytest.mark.parametrize(
    "text",
    [
        "R$ 1.234,56",
        "$20",
        "1.234.567,89",
        "12,345,678",
        "12,5%",
        "14:30:05",
        "12/05/2024",
        "12/28",
        "12.05.2024",
        "2024-05-12",
        "192.168.100.10",
    ],
)
def test_what_is_plainly_no_personal_number_is_one_token(text: str) -> None:
    assert [token.sort for token in tokenise(f"é {text} ou")][1:-1] == [Sort.OTHER]


@pytest.mark.parametrize("text", ["529.982.247-25", "11.222.333/0001-81", "98765-4321", "192.168.100.300", "01310-100"])
def test_what_may_be_one_is_not(text: str) -> None:
    assert Sort.OTHER not in [token.sort for token in tokenise(text)]


def test_what_is_replaced_is_one_token() -> None:
    assert [token.sort for token in tokenise("[CPF][CPE]")] == [Sort.REPLACED, Sort.MARK, Sort.WORD, Sort.MARK]
