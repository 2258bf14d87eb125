import re
from importlib import resources

import pytest
import stdnum

from serve_app.observability.redaction import codes
from serve_app.observability.redaction.tokens import tokenise


def ibans(text: str, *, english: bool = False) -> list[str]:
    found = list(codes.ibans(text, tokenise(text), english=english))
    assert all(finding.kind == "IBAN" for finding in found)
    return [text[finding.start : finding.end] for finding in found]


def pix_keys(text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in codes.pix_keys(text)]


def test_the_countries_are_those_of_the_registry() -> None:
    lines = resources.files(stdnum).joinpath("iban.dat").read_text().splitlines()
    registry = [line for line in lines if not line.startswith("#")]
    lengths = {line[:2].lower(): 4 + sum(map(int, re.findall(r"(\d+)!", line))) for line in registry}
    assert lengths == codes.COUNTRIES


@pytest.mark.parametrize(
    "number",
    [
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "gb29 nwbk 6016 1331 9268 19".upper(),
        "BR15 0000 0000 0000 1093 2840 814 P 2",
        "D E, oito nove, três sete zero quatro, zero zero quatro quatro, zero cinco três dois, zero um três zero, 00",
        "G B two nine, N W B K, six oh one six, uh, one three three one, nine two six eight, one nine",
    ],
)
def test_typed_and_spelled(number: str) -> None:
    assert ibans(f"o IBAN é {number}, anotou?", english="two" in number) == [number]


@pytest.mark.parametrize(
    "text",
    ["DE88 3704 0044 0532 0130 00", "XX89 3704 0044 0532 0130 00", "de 89 reais a 3704", "DE89 3704", "pt 50", "D E"],
)
def test_no_ibans(text: str) -> None:
    assert ibans(text) == []


def test_uuids_are_pix_keys() -> None:
    key = "123e4567-E89B-42d3-a456-426614174000"
    assert pix_keys(f"chave {key}.") == [key]
    assert pix_keys(f"Pix {key.replace('-', '')}") == [key.replace("-", "")]
    assert pix_keys(f"hash {key.replace('-', '')}") == []
    assert pix_keys(f"{key}0 {key[:-1]} x{key} {key}-1") == []
