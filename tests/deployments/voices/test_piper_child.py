"""What of a clause is synthesised at once. The rest of the child is tested as a process, in test_piper."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.voices.piper_child import phrases


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Olá, tudo bem? Sim.", ["Olá,", "tudo bem?", "Sim."]),
        ("um, dois; três: quatro… cinco! seis", ["um,", "dois;", "três:", "quatro…", "cinco!", "seis"]),
        ("1,5 e 14:30", ["1,5 e 14:30"]),
        ("ah... , é", ["ah...", "é"]),
        ("...", []),
        ("", []),
    ],
)
def test_phrases_end_at_punctuation(text: str, expected: list[str]) -> None:
    assert phrases(text) == expected


@settings(deadline=None)
@given(st.text(st.sampled_from("ab1 ,.[]!\n"), max_size=60))
def test_phrases_lose_no_word_and_keep_no_markup(text: str) -> None:
    assert "".join(c for phrase in phrases(text) for c in phrase if c.isalnum()) == "".join(filter(str.isalnum, text))
    assert not any("[[" in phrase for phrase in phrases(text))
