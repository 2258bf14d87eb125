import pytest

from serve_app.observability.redaction import emails
from serve_app.observability.redaction.tokens import tokenise


def found(text: str) -> list[str]:
    typed = list(emails.typed(text))
    assert all(finding.kind == "EMAIL" for finding in typed)
    return [text[finding.start : finding.end] for finding in typed or emails.spoken(tokenise(text))]


@pytest.mark.parametrize(
    "address",
    [
        "ana@mail.com",
        "joão.silva-2+x@sub.mail.com.br",
        "ana @ mail.com",
        "joão ponto silva arroba gmail ponto com",
        "ana underline costa, arroba, banco do brasil ponto com ponto br",
        "maria oitenta e cinco arroba hotmail ponto com",
        "maria85 arroba hotmail.com",
        "j p f trinta e dois arroba gmail ponto com",
        "doces ponto do tião arroba uol ponto com",
        "o dot b dot ramsey at outlook dot com",
        "winifred at thornbury dash plumbing dot co dot uk",
        "k dot l at n o p dot net",
    ],
)
@pytest.mark.parametrize(("before", "behind"), [("meu e-mail é ", ", viu"), ("it's ", " thanks"), ("", ".")])
def test_typed_and_read_out(address: str, before: str, behind: str) -> None:
    assert found(before + address + behind) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "a @ b",
        "compro por arroba, ponto final",
        "arroba gmail ponto com",
        "meet me at the office, dot",
        "I bought it at example dot com",
        "o preço da arroba do boi",
        "at gmail dot com",
        "ana@localhost",
    ],
)
def test_no_addresses(text: str) -> None:
    assert found(text) == []


def test_a_sentence_that_ends_is_no_dot() -> None:
    assert found("ana arroba mail. Com licença") == []
    assert found("ana arroba mail ponto com. Com licença") == ["ana arroba mail ponto com"]


def test_two_of_them() -> None:
    assert found("a arroba b ponto com ou c arroba d ponto com") == ["a arroba b ponto com", "c arroba d ponto com"]
