"""Work in hand, averaged over time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.scaling.work import WorkMeter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_short_call_between_two_looks_is_seen() -> None:
    clock = Clock()
    work = WorkMeter(clock)
    clock.now += 0.4
    with work.piece():
        clock.now += 0.033
    clock.now += 0.567
    assert work.mean() == pytest.approx(0.033)
    clock.now += 1
    assert work.mean() == 0, "once"


def test_pieces_that_overlap_add_up_and_go_on_over_looks() -> None:
    clock = Clock()
    work = WorkMeter(clock)
    with work.piece():
        with work.piece():
            clock.now += 1
            assert work.mean() == 2
        clock.now += 1
        assert work.mean() == 1
    assert work.mean() == 0


def test_a_piece_that_fails_is_over() -> None:
    clock = Clock()
    work = WorkMeter(clock)
    with pytest.raises(ZeroDivisionError), work.piece():
        raise ZeroDivisionError
    clock.now += 1
    assert work.mean() == 0


def test_without_time_it_is_what_is_in_hand() -> None:
    work = WorkMeter(Clock())
    with work.piece(), work.piece():
        assert work.mean() == 2


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.001, 5)), min_size=1, max_size=20), st.lists(st.floats(0, 15)))
def test_no_work_is_lost_however_often_it_is_looked_at(calls: list[tuple[float, float]], looks: list[float]) -> None:
    """Each call: its beginning and its length, in seconds."""
    clock = Clock()
    began = clock.now
    work = WorkMeter(clock)
    events = sorted(
        [(at, 0, number) for number, (at, _) in enumerate(calls)]
        + [(at + length, 1, number) for number, (at, length) in enumerate(calls)]
        + [(at, 2, -1) for at in [*looks, 16.0]]
    )
    pieces, done, looked_at = {}, 0.0, 0.0
    for at, kind, number in events:
        clock.now = began + at
        if kind == 0:
            pieces[number] = work.piece()
            pieces[number].__enter__()
        elif kind == 1:
            pieces[number].__exit__(None, None, None)
        else:
            done += work.mean() * (at - looked_at)
            looked_at = at
    assert done == pytest.approx(sum(length for _, length in calls))
