import pytest

from serve_app.observability.redaction import redact


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "6362970000457013",
        "6062825624254001",
        "6011111111111117",
        "3530111333300000",
        "5066991111111118",
    ],
)
def test_every_issuers(number: str) -> None:
    assert redact(number) == "[CARD]"


@pytest.mark.parametrize("number", ["4222222222222", "30569309025904"])
def test_rarer_lengths_only_if_they_are_announced(number: str) -> None:
    assert redact(f"meu cartão {number}") == "meu cartão [CARD]"
    assert redact(f"são {number} disso") == f"são {number} disso"


@pytest.mark.parametrize("number", ["4111111111111112", "1111111111111117", "9999999999999995", "411111111111111"])
def test_wrong_digit_issuer_or_length(number: str) -> None:
    assert redact(f"cartão {number}") == f"cartão {number}"


def test_an_order_number_may_pass_for_one_but_in_a_cards_groups() -> None:
    assert redact("pedido 4111111111111111") == "pedido 4111111111111111"
    assert redact("pedido 4111 1111 1111 1111") == "pedido [CARD]"
