import pytest

from serve_app.observability.redaction import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("52998224725", "[CPF]"),
        ("protocolo 52998224725", "protocolo 52998224725"),
        ("protocolo 529.982.247-25", "protocolo [CPF]"),
        ("minha conta não abre, 52998224725", "minha conta não abre, [CPF]"),
        ("11111111111", "11111111111"),
        ("CNPJ 11222333000182", "CNPJ [CNPJ]"),
        ("pedido 11222333000182", "pedido 11222333000182"),
        ("11222333000181", "[CNPJ]"),
        ("01310-100", "[CEP]"),
        ("01.310-100", "[CEP]"),
        ("conta 01310-100", "conta 01310-100"),
        ("CEP 01310100", "CEP [CEP]"),
        ("CEP 0131010", "CEP 0131010"),
        ("RG 12.345.678-9", "RG [RG]"),
        ("RG SP-12.345.678-x", "RG [RG]"),
        ("12.345.678-9", "12.345.678-9"),
        ("RG 12345", "RG 12345"),
        ("chave pix 529.982.247-25", "chave pix [CPF]"),
        ("chave pix 11987654321", "chave pix [PHONE]"),
    ],
)
def test_who_is_judged_to_be_what(text: str, expected: str) -> None:
    assert redact(text) == expected
