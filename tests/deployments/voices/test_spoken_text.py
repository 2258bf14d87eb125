"""Every character is handed out once, in order, inside the chunk it is handed out with."""

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.voices.spoken_text import SpokenText
from serve_app.ports import Alignment

MARKS = st.lists(st.tuples(st.integers(-3, 60), st.floats(0, 5000)), max_size=12)
CUTS = st.lists(st.floats(1, 1000), min_size=1, max_size=20)


def test_a_word_shares_its_time_with_the_space_after_it() -> None:
    spoken = SpokenText("hi you")
    spoken.word_begins(0, 0)
    spoken.word_begins(3, 90)
    spoken.ends(150)
    assert spoken.take(0, 60) == Alignment(("h", "i"), (0, 30), (30, 30))
    assert spoken.take(60, 200) == Alignment((" ", "y", "o", "u"), (0, 30, 50, 70), (30, 20, 20, 20))


def test_a_character_does_not_outlast_its_chunk() -> None:
    spoken = SpokenText("a")
    spoken.ends(500)
    assert spoken.take(0, 60) == Alignment(("a",), (0,), (60,))
    assert spoken.take(60, 500) == Alignment((), (), ())


def test_nothing_is_timed_before_the_next_word_is_known() -> None:
    spoken = SpokenText("hello you")
    spoken.word_begins(0, 13)
    assert spoken.timed_until_ms == 0
    spoken.word_begins(6, 300)
    assert spoken.timed_until_ms == 300


def test_marks_that_go_back_are_dropped() -> None:
    spoken = SpokenText("R$ 20")
    for index, at_ms in ((0, 0), (3, 200), (1, 300), (3, 400), (4, 100)):
        spoken.word_begins(index, at_ms)
    assert spoken.timed_until_ms == 200
    spoken.ends(600)
    assert spoken.take(0, 600).starts_ms == (0, 67, 133, 200, 400)


@settings(deadline=None)  # a busy machine
@given(st.text(max_size=50), MARKS, st.floats(0, 5000), CUTS)
def test_characters_come_once_in_order_and_inside(
    text: str, marks: list[tuple[int, float]], end_ms: float, cuts: list[float]
) -> None:
    spoken = SpokenText(text)
    for index, at_ms in marks:
        spoken.word_begins(index, at_ms)
    spoken.ends(end_ms)
    said, start_ms = "", 0.0
    for length_ms in [*cuts, 10_000]:
        alignment = spoken.take(start_ms, start_ms + length_ms)
        said += "".join(alignment.chars)
        assert len(alignment.chars) == len(alignment.starts_ms) == len(alignment.durations_ms)
        assert list(alignment.starts_ms) == sorted(alignment.starts_ms)
        assert all(
            0 <= start <= start + duration <= length_ms + 1
            for start, duration in zip(alignment.starts_ms, alignment.durations_ms, strict=True)
        )
        start_ms += length_ms
    assert said == text
