from serve_app.observability.redaction.findings import Finding, masked, replaced
from serve_app.observability.redaction.tokens import Sort, tokenise


def test_what_was_found_is_one_token() -> None:
    text = "é a.b@c.de, não d@e.fr"
    tokens = masked(tokenise(text), [Finding(16, 22, "EMAIL"), Finding(2, 10, "EMAIL")])
    assert [text[token.start : token.end] for token in tokens] == ["é", "a.b@c.de", ",", "não", "d@e.fr"]
    assert [token.sort for token in tokens].count(Sort.REPLACED) == 2


def test_each_is_replaced_by_its_kind() -> None:
    assert replaced("um dois três", [Finding(8, 12, "RG"), Finding(0, 2, "CPF")]) == "[CPF] dois [RG]"
    assert replaced("um", []) == "um"
