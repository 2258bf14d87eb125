"""How much is found, and how much that is none. The table in docs/privacy.md is score_redaction.py's."""

from functools import cache

import pytest

from serve_app.observability.redaction import redact
from tests.observability.score_redaction import Score, Span, score, sentences, spans

LANGUAGES = ("pt", "en")


@cache
def scored(name: str) -> Score:
    return score(sentences(name))


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_the_tuned_corpus_nearly_all_is_found_and_little_else(language: str) -> None:
    assert scored(language).sentences >= 400
    assert scored(language).recall >= 0.98
    assert scored(language).precision >= 0.97


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_the_held_out_one_most(language: str) -> None:
    """Its exact scores are in the docs: nobody is to work towards them."""
    held_out = scored(f"held_out_{language}")
    assert held_out.sentences == 100
    assert min(held_out.recall, held_out.precision) > 0.8


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_utterance_takes_less_than_a_millisecond(language: str) -> None:
    seconds = sorted(scored(language).seconds)
    assert seconds[len(seconds) * 95 // 100] < 1e-3


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_redacted_as_it_should_be_stays_so(language: str) -> None:
    for sentence in sentences(language):
        assert redact(sentence.redacted) == sentence.redacted


def test_spans_are_where_the_text_was_replaced() -> None:
    assert spans("é 12 ou 34?", "é [CPF] ou [RG]?") == {Span(2, 4, "CPF"), Span(8, 10, "RG")}
    with pytest.raises(ValueError, match="something replaced"):
        spans("é 12", "e [CPF]")
