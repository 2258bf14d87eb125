"""An engine does what it can, and nobody waits longer than he would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.planning.engine import Engine

rates = st.lists(st.floats(0, 500), min_size=1, max_size=30)
places = st.floats(0, 40)
durations = st.floats(0.01, 5)


@given(rates, places, durations, st.floats(0, 10))
def test_whoever_comes_is_served_waits_or_gives_up(
    rates: list[float], places: float, request_s: float, patience_s: float
) -> None:
    engine = Engine(request_s, patience_s)
    done = given_up = 0.0
    for rate in rates:
        stretch = engine.step(rate, places, 2.0)
        done += stretch.busy * 2.0 / request_s
        given_up += stretch.given_up
        assert stretch.busy <= places * (1 + 1e-9)
        assert min(stretch) >= -1e-9
        assert stretch.wait_s <= patience_s + 1e-9
    assert done + given_up + engine.waiting == pytest.approx(sum(rates) * 2.0, abs=1e-6)


@given(rates, places, durations)
def test_more_places_serve_more(rates: list[float], places: float, request_s: float) -> None:
    small, large = Engine(request_s, 4.0), Engine(request_s, 4.0)
    served = [0.0, 0.0]
    for rate in rates:
        for number, (engine, there) in enumerate([(small, places), (large, places + 1)]):
            served[number] += engine.step(rate, there, 1.0).busy
    assert served[1] >= served[0] - 1e-6


def test_below_what_it_can_nobody_waits() -> None:
    stretch = Engine(request_s=0.5, patience_s=4).step(a_second=3.9, places=2, seconds=1)
    assert stretch.in_hand == pytest.approx(1.95)
    assert (stretch.waiting, stretch.wait_s, stretch.given_up) == (0, 0, 0)


def test_above_it_the_queue_grows_to_its_patience() -> None:
    engine = Engine(request_s=1, patience_s=3)
    waits = [engine.step(a_second=15, places=10, seconds=1).wait_s for _ in range(10)]
    assert waits[:3] == pytest.approx([0.5, 1.0, 1.5])
    assert waits[-1] == pytest.approx(3)
    assert engine.step(15, 10, 1).given_up == pytest.approx(5)


def test_without_a_place_those_wait_who_have_just_come() -> None:
    engine = Engine(request_s=1, patience_s=4)
    for _ in range(10):
        stretch = engine.step(a_second=2, places=0, seconds=1)
    assert stretch.waiting == pytest.approx(8)
    assert stretch.given_up == pytest.approx(2)
