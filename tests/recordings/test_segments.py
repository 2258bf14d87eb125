import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.recordings.segments import FOREVER, Placed, Segment, Side, arrange

segments = st.builds(Segment, st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 10**5), st.sampled_from(Side))


@given(segments)
def test_a_name_says_all(segment: Segment) -> None:
    assert Segment.parse(segment.name) == segment


@pytest.mark.parametrize("name", ["", "0000-000000000000-000000000000-nobody", "x" + Segment(0, 0, 0, Side.AGENT).name])
def test_other_names_are_nobodys(name: str) -> None:
    assert Segment.parse(name) is None


def test_names_are_in_order() -> None:
    early, late = Segment(0, 9, 0, Side.CALLER), Segment(0, 1000, 0, Side.CALLER)
    assert early.name < late.name


def test_each_sounds_until_the_next_of_its_side() -> None:
    first, second, voice = Segment(0, 0, 0, Side.CALLER), Segment(0, 960, 0, Side.CALLER), Segment(0, 50, 0, Side.AGENT)
    assert arrange([second, voice, first]) == {
        Side.CALLER: [Placed(first, 0, 960), Placed(second, 960)],
        Side.AGENT: [Placed(voice, 50)],
    }


def test_a_new_epoch_ends_both_sides_of_the_one_before() -> None:
    old = [Segment(0, 0, 0, Side.CALLER), Segment(0, 100, 0, Side.AGENT), Segment(0, 960, 0, Side.CALLER)]
    new = [Segment(1, 500, 0, Side.CALLER), Segment(1, 700, 0, Side.AGENT)]
    assert arrange([*new, *old]) == {
        Side.CALLER: [Placed(old[0], 0, 500), Placed(new[0], 500)],
        Side.AGENT: [Placed(old[1], 100, 500), Placed(new[1], 700)],
    }


def test_a_new_epoch_does_not_know_by_how_much_the_one_before_was_ahead() -> None:
    old = [Segment(0, 0, 0, Side.AGENT), Segment(0, 5000, 5000, Side.CALLER)]
    new = Segment(1, 300, 0, Side.CALLER)
    assert arrange([*old, new])[Side.CALLER] == [Placed(old[1], 5000, 5300), Placed(new, 5300)]


@given(st.lists(segments, unique_by=lambda each: (each.epoch, each.begins, each.side)))
def test_no_two_of_a_side_sound_at_once(some: list[Segment]) -> None:
    for placed in arrange(some).values():
        ends = [each.until for each in placed]
        assert all(each.begins < each.until for each in placed)
        assert all(end <= each.begins for end, each in zip(ends, placed[1:], strict=False))
        assert all(end == FOREVER for end in ends[-1:] if len({each.epoch for each in some}) == 1)
