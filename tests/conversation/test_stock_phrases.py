import pytest

from serve_app.conversation.stock_phrases import is_imagined


@pytest.mark.parametrize("text", ["Thank you.", "thank you", "Obrigado.", "Legendas pela comunidade Amara.org", "You"])
def test_no_such_phrase_is_spoken_in_a_moment(text: str) -> None:
    assert is_imagined(text, 0.14)


def test_spoken_at_length_it_was_said() -> None:
    assert not is_imagined("Obrigado.", 0.4)


def test_other_words_are_believed() -> None:
    assert not is_imagined("Sim.", 0.14)
