import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.whisper_hypothesis import Hypothesis, join_hypotheses

LOOP = "obrigado " * 30

hypotheses = st.builds(
    Hypothesis,
    text=st.text(max_size=40),
    seconds=st.floats(0.1, 30),
    mean_logprob=st.floats(-20, 0.1),
    no_speech_probability=st.floats(0, 1),
    weakest_logprob=st.none() | st.floats(-20, 0.1),
)


def test_confidence_is_the_geometric_mean_probability_weighted_by_duration() -> None:
    long, short = Hypothesis("bom dia", 3.0, math.log(0.9), 0.0), Hypothesis("tchau", 1.0, math.log(0.5), 0.0)
    transcript = join_hypotheses([long, short], "pt")
    assert transcript.text == "bom dia tchau"
    assert transcript.language == "pt"
    assert transcript.confidence == pytest.approx(0.9**0.75 * 0.5**0.25)


def test_where_tokens_are_words_the_weakest_bounds_the_confidence() -> None:
    sure = Hypothesis("quero cancelar a minha", 2.0, math.log(0.8), 0.0, weakest_logprob=math.log(0.3))
    assert join_hypotheses([sure], "pt").confidence == pytest.approx(0.3)
    other = Hypothesis("obrigado", 1.0, math.log(0.9), 0.0, weakest_logprob=math.log(0.85))
    assert join_hypotheses([other, sure], "pt").confidence == pytest.approx(0.3)
    assert join_hypotheses([other], "pt").confidence == pytest.approx(0.85)


@pytest.mark.parametrize(
    "nothing", [Hypothesis("", 2.0, 0.0, 0.0), Hypothesis("thank you", 2.0, -0.1, 0.61)], ids=["empty", "no speech"]
)
def test_nothing_said_is_empty_with_no_confidence(nothing: Hypothesis) -> None:
    transcript = join_hypotheses([nothing], "en")
    assert (transcript.text, transcript.confidence) == ("", 0.0)


def test_silence_between_segments_is_left_out() -> None:
    spoken, silence = Hypothesis("sim", 1.0, math.log(0.8), 0.1), Hypothesis("legendas", 5.0, -0.1, 0.9)
    transcript = join_hypotheses([spoken, silence], "pt")
    assert transcript.text == "sim"
    assert transcript.confidence == pytest.approx(0.8)


def test_a_loop_is_doubtful_however_certain_it_sounds() -> None:
    loop = Hypothesis(LOOP, 5.0, math.log(0.99), 0.0)
    assert loop.is_doubtful
    assert join_hypotheses([loop], "pt").confidence <= 0.2


def test_guesswork_is_doubtful_and_plain_speech_is_not() -> None:
    assert Hypothesis("bom dia", 1.0, -1.1, 0.0).is_doubtful
    assert not Hypothesis("bom dia", 1.0, -0.9, 0.0).is_doubtful


@given(st.lists(hypotheses, max_size=4))
def test_confidence_is_a_probability_and_zero_without_text(given_hypotheses: list[Hypothesis]) -> None:
    transcript = join_hypotheses(given_hypotheses, "pt")
    assert 0 <= transcript.confidence <= 1
    assert transcript.text or transcript.confidence == 0
