"""Many short texts for one test."""

import pytest


def each(texts: str) -> pytest.MarkDecorator:
    """The test is run with every `text` of these, which " / " separates."""
    return pytest.mark.parametrize("text", " ".join(texts.split()).split(" / "))
