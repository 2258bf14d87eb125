from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.hypotheses import Hypotheses


def test_what_two_hypotheses_agree_on_is_stable() -> None:
    said = Hypotheses()
    assert said.add("quero um") == "quero um"
    assert said.stable == ""
    assert said.add("quero uma conta") == "quero uma conta"
    assert said.stable == "quero"
    assert said.add("quero uma consulta para") == "quero uma consulta para"
    assert said.stable == "quero uma"


def test_a_stable_word_is_not_taken_back() -> None:
    said = Hypotheses()
    said.add("quero um café")
    said.add("quero um café")
    assert said.add("compro um chá com leite") == "quero um café com leite"
    assert said.stable == "quero um café"


def test_commas_are_no_disagreement() -> None:
    said = Hypotheses()
    said.add("bom dia")
    said.add("Bom dia, tudo")
    assert said.stable == "Bom dia,"


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6)))
def test_the_stable_words_only_grow_and_stand_in_all_that_is_shown(hypotheses: list[list[str]]) -> None:
    said, before = Hypotheses(), ""
    for words in hypotheses:
        shown = said.add(" ".join(words))
        assert said.stable.startswith(before)
        assert shown.startswith(said.stable)
        before = said.stable
