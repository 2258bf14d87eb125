import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.observability.redaction import Redactor, redact, redacted

SAID = [
    ("meu CPF é 529.982.247-25, tá?", "meu CPF é [CPF], tá?"),
    ("é 52998224725 mesmo", "é [CPF] mesmo"),
    ("cinco dois nove, nove oito dois, dois quatro sete, dois cinco", "[CPF]"),
    ("quinhentos e vinte e nove, novecentos e oitenta e dois, duzentos e quarenta e sete, vinte e cinco", "[CPF]"),
    ("é... 529 ponto nove oito, ahn, dois ponto dois quatro sete traço vinte e cinco, isso", "é... [CPF], isso"),
    ("a empresa é 11.222.333/0001-81", "a empresa é [CNPJ]"),
    ("onze, duzentos e vinte e dois, trezentos e trinta e três, barra mil ao contrário, oitenta e um", "[CNPJ]"),
    ("o cartão 4111 1111 1111 1111 vence 12/28", "o cartão [CARD] vence 12/28"),
    ("four one one one, one one one one, um, double one double one, triple one one", "[CARD]"),
    ("liga no (11) 98765-4321", "liga no [PHONE]"),
    ("onze nove oito sete meia cinco, quatro três dois um", "[PHONE]"),
    ("telefone fixo, onze três meia quatro um cinco dois oito zero", "telefone fixo, [PHONE]"),
    ("my cell is two one two, double five five, oh one nine nine", "my cell is [PHONE]"),
    ("ring +44 20 7946 0123 please", "ring [PHONE] please"),
    ("joao.silva+banco@mail.com.br!", "[EMAIL]!"),
    ("é joão ponto silva arroba gmail ponto com ponto br, viu", "é [EMAIL], viu"),
    ("it's j underscore smith eighty-five at outlook dot com", "it's [EMAIL]"),
    ("a chave é 123e4567-e89b-42d3-a456-426614174000", "a chave é [PIX]"),
    ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [IBAN]."),
    ("G B eight two W E S T one two three four five six nine eight seven six five four three two", "[IBAN]"),
    ("moro no CEP 01310-100", "moro no CEP [CEP]"),
    ("meu cep é zero um três um zero traço cem", "meu cep é [CEP]"),
    ("RG MG-12.345.678, da polícia civil", "RG [RG], da polícia civil"),
    ("identidade 12.345.678-X", "identidade [RG]"),
    (
        "meu CPF é 529.982.247-25 e o celular é onze nove oito sete meia cinco quatro três dois um",
        "meu CPF é [CPF] e o celular é [PHONE]",
    ),
    ("12345678900 é o meu CPF", "[CPF] é o meu CPF"),
]
KEPT = [
    "o código 529.982.247-26 não passou",
    "são mil duzentos e trinta e quatro reais e cinquenta centavos",
    "R$ 11.222.333,81 em 12/05/2024 às 14:30",
    "protocolo 11987654321",
    "agência 1234 conta 56789-0",
    "34191.79001 01043.510047 91020.150008 1 84410026000000",
    "4111 1111 1111 1112",
    "7891000315507 é o código de barras",
    "o servidor é 192.168.100.10",
    "liga no 0800 722 1234 ou no 4004 1234",
    "01310100",
    "um, dois, três e já",
    "me encontra at the office, dot",
    "isso não é CPF: 12345678900",
    "order 2125550199",
    "3c9d-not-a-uuid-426614174000",
    "",
]


@pytest.mark.parametrize(("text", "expected"), SAID)
def test_exactly_the_datum_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_one_is_kept(text: str) -> None:
    assert redact(text) == text


def test_announced_it_need_not_be_right() -> None:
    assert redact("meu CPF é 123.456.789-00") == "meu CPF é [CPF]"
    assert redact("o lote é 123.456.789-00") == "o lote é 123.456.789-00"


def test_only_the_kinds_that_are_wanted() -> None:
    text = "CPF 529.982.247-25, e-mail a@b.com"
    assert redact(text, ["EMAIL"]) == "CPF 529.982.247-25, e-mail [EMAIL]"
    assert Redactor().only(["CPF"]).redact(text) == "CPF [CPF], e-mail a@b.com"


PIECES = """
    cpf telefone conta pix é e um dois três meia zero onze mil cento vinte double triple oh five nine ponto traço arroba
    at dot gmail com 529 982 247 25 52998224725 529.982.247-25 11 98765-4321 4111 1111 +55 (11) DE89 370400440532013000
    01310-100 [CPF] [PHONE] , . - / ( ) a@b.com RG MG x barra contrário ao não número [ ] \u0661 １ 🙂 \u0301
"""
SOME = st.lists(st.sampled_from(PIECES.split()), max_size=30)
TEXTS = st.one_of(st.text(), SOME.map(" ".join), SOME.map("".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_what_is_redacted_stays_as_it_is(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "9 ",
        "12, 345, ",
        "1,234,567,",
        "a.",
        "a@",
        "joão arroba ",
        "at dot ",
        "mil e ",
        "um dois, ",
        "(11) ",
        "DE 12 ",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """Twice the text, twice the time: 20,000 characters are the longest turn there is."""
    text = piece * (20_000 // len(piece))
    since = time.process_time()
    redact(text)
    assert time.process_time() - since < 2.0


def test_structures_keep_their_form_and_keys_announce_what_is_under_them() -> None:
    value: dict[str, Any] = {
        "cpf": "123.456.789-00",
        "customer": {"phone_number": 11987654321, "name": "Ana", "vip": True, "age": 41, "score": 0.5, "none": None},
        "notes": ["a@b.com", ("nada",)],
        "order": 11987654321,
    }
    assert redacted(value) == {
        "cpf": "[CPF]",
        "customer": {"phone_number": "[PHONE]", "name": "Ana", "vip": True, "age": 41, "score": 0.5, "none": None},
        "notes": ["[EMAIL]", ["nada"]],
        "order": 11987654321,
    }


def shout(text: str) -> str:
    return text.upper()


def test_a_hook_gets_what_is_left() -> None:
    redactor = Redactor.from_spec(f"{__name__}:shout")
    assert redactor.redact("ana, CPF 529.982.247-25") == "ANA, CPF [CPF]"
    assert redactor.redacted({"a": ["b"]}) == {"a": ["B"]}
    assert redactor.only(["EMAIL"]).redact("ana, 529.982.247-25") == "ANA, 529.982.247-25"


def test_without_a_hook() -> None:
    assert Redactor.from_spec("").redact("Ana") == "Ana"
