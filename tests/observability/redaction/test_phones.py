import pytest

from serve_app.observability.redaction import redact


@pytest.mark.parametrize(
    "number",
    [
        "(11) 98765-4321",
        "11 98765-4321",
        "11987654321",
        "011987654321",
        "0 15 11 98765-4321",
        "+55 (11) 3641-5280",
        "98765-4321",
        "+1 212 555 0123",
        "(212) 555-0123",
        "212-555-0123",
        "+351 912 345 678",
        "07700 900123",
        "303-969-2765",
    ],
)
def test_written_as_telephones_are(number: str) -> None:
    assert redact(f"é {number}, tá") == "é [PHONE], tá"


@pytest.mark.parametrize(
    "number",
    ["1136415280", "36415280", "987654321", "555 0123", "2125550123", "020 7946 0123", "11 12345-6789"],
)
def test_announced_as_one(number: str) -> None:
    assert redact(f"meu telefone é {number}, tá") == "meu telefone é [PHONE], tá"
    assert redact(f"o pedido {number}, tá") == f"o pedido {number}, tá"


@pytest.mark.parametrize(
    "number",
    ["0800 722 1234", "0300 123 4567", "4004-1234", "3003 1234", "+1 800 555 1234", "zero oitocentos 722 1234"],
)
def test_companies_are_no_persons(number: str) -> None:
    assert redact(f"telefone {number}") == f"telefone {number}"


@pytest.mark.parametrize("number", ["+999 123 456 789", "00987654321", "11 88765-4321"])
def test_no_plan_has_it(number: str) -> None:
    assert redact(f"é {number}") == f"é {number}"


def test_read_out_in_english_but_not_counted() -> None:
    assert redact("it's two oh six, two two nine, oh seven oh three") == "it's [PHONE]"
    counted = "one, two, three, four, five, six, seven, eight, nine, ten, ready or not"
    assert redact(counted) == counted


def test_the_sign_before_it_belongs_to_it() -> None:
    assert redact("é mais cinquenta e cinco onze nove oito sete meia cinco quatro três dois um") == "é [PHONE]"
    assert redact("(11987654321)") == "([PHONE])"
