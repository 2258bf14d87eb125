import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.speculation import Ration, Speculation, same_words


def test_each_step_includes_those_before_it() -> None:
    assert [step for step in Speculation if Speculation.LLM.includes(step)] == [
        Speculation.OFF,
        Speculation.STT,
        Speculation.LLM,
    ]


def test_so_many_requests_a_minute() -> None:
    ration = Ration(6, 1_000)
    assert [ration.take(0.0, 1.0) for _ in range(7)] == [True] * 6 + [False]
    assert ration.take(10.0, 1.0), "one every ten seconds from then on"
    assert not ration.take(10.0, 1.0)


def test_and_so_many_billed_seconds_of_which_a_request_has_ten_at_least() -> None:
    ration = Ration(1_000, 60)
    assert [ration.take(0.0, seconds) for seconds in (1.0, 30.0, 21.0, 20.0, 0.5)] == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("one", "other"), [("Sim.", "sim"), ("Olá, tudo bem?", "olá  tudo bem"), ("It’s 5!", "it's 5"), ("", "...")]
)
def test_the_same_words(one: str, other: str) -> None:
    assert same_words(one, other)


@pytest.mark.parametrize(("one", "other"), [("sim", "não"), ("e", "é"), ("um café", "um café com leite")])
def test_other_words(one: str, other: str) -> None:
    assert not same_words(one, other)


@given(st.text(), st.text())
def test_it_does_not_matter_which_comes_first(one: str, other: str) -> None:
    assert same_words(one, other) is same_words(other, one)
    assert same_words(one, one)
