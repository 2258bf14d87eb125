import pytest

from serve_app.observability.redaction.context import (
    A_NUMBER,
    SOMETHING_ELSE,
    SOMETHING_ELSE_BEFORE,
    announcement,
    before,
    behind,
)
from serve_app.observability.redaction.tokens import tokenise


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("meu CPF é", "CPF"),
        ("o CPF, deixa eu ver aqui, um minutinho, é", "CPF"),
        ("registro geral", "RG"),
        ("código", SOMETHING_ELSE),
        ("código postal", "CEP"),
        ("area code", "PHONE"),
        ("meu número é", A_NUMBER),
        ("número do protocolo", SOMETHING_ELSE),
        ("a chave Pix é o meu número", "PIX"),
        ("telefone da conta", "PHONE"),
        ("the phone number on my account is", "PHONE"),
        ("o CPF que apareceu no contrato foi", "CPF"),
        ("meu CPF está aí, o número da conta é", SOMETHING_ELSE),
        ("a nota no CPF", "CPF"),
        ("o protocolo do cartão", SOMETHING_ELSE),
        ("não é CPF", SOMETHING_ELSE),
        ("minha conta não abre, é", SOMETHING_ELSE_BEFORE),
        ("não sei, CPF", "CPF"),
        ("[CPF] e", ""),
        ("cpf a b c d e f g h i j k l", ""),
        ("bom dia", ""),
    ],
)
def test_the_words_before(text: str, meaning: str) -> None:
    tokens = tokenise(text)
    assert before(tokens, len(tokens)) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"), [("é o meu CPF", "CPF"), ("is my cell", "PHONE"), ("CPF", ""), ("é isso", ""), ("", "")]
)
def test_the_words_behind(text: str, meaning: str) -> None:
    assert behind(tokenise(text), 0) == meaning


@pytest.mark.parametrize(
    ("name", "word"), [("phone_number", "phone"), ("numero_do_cartao", "cartao"), ("number", ""), ("x", ""), ("", "")]
)
def test_a_name_announces_what_it_stands_for(name: str, word: str) -> None:
    assert announcement(name) == word
