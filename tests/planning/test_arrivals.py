"""Calls are drawn as the traffic says, and the same again for the same seed."""

from statistics import fmean, pstdev

import msgspec
import numpy as np
import pytest

from serve_app.planning.arrivals import WARM_UP_MINUTES, Call, draw_calls, expected_a_minute
from serve_app.planning.traffic import Burst, Calls, Durations

MONDAY, TUESDAY, SUNDAY = 0, 1, 6
HOURLY = (1.0, *(0.0,) * 8, 5.0, 5.0, 5.0, *(1.0,) * 12)
CALLS = Calls(
    a_day=20_000,
    hourly=HOURLY,
    minutes=Durations(mean=3, spread=0.8, longest=10),
    weekdays={"sunday": 0.25},
    bursts=(Burst(at="10:30", minutes=10, calls=600),),
    typed=0.2,
)


def drawn(calls: Calls = CALLS, weekday: int = MONDAY, seed: int = 1) -> list[Call]:
    return draw_calls(calls, weekday, np.random.default_rng(seed))


def test_a_seed_draws_the_same_calls_again() -> None:
    assert drawn() == drawn()
    assert drawn() != drawn(seed=2)


def test_calls_come_in_order_from_before_midnight_to_the_next() -> None:
    starts = [call.start_s for call in drawn()]
    assert starts == sorted(starts)
    assert starts[0] < 0 < starts[-1]
    assert starts[0] >= -WARM_UP_MINUTES * 60
    assert starts[-1] < 86_400


@pytest.mark.parametrize(("weekday", "factor"), [(TUESDAY, 1.0), (SUNDAY, 0.25)])
def test_a_day_has_its_calls(weekday: int, factor: float) -> None:
    expected = expected_a_minute(CALLS, weekday)
    assert expected[WARM_UP_MINUTES:].sum() == pytest.approx(20_000 * factor + 600)
    assert len(drawn(weekday=weekday)) == pytest.approx(expected.sum(), rel=0.03)


def test_an_hour_has_its_share_in_its_middle() -> None:
    expected = expected_a_minute(CALLS, MONDAY)[WARM_UP_MINUTES:]
    in_an_hour = 20_000 * 5 / sum(HOURLY)
    assert expected[9 * 60 + 29 : 9 * 60 + 31].mean() == pytest.approx(in_an_hour / 60, rel=0.02)
    assert expected[4 * 60 : 5 * 60].sum() == 0


def test_a_burst_comes_on_top_when_it_comes() -> None:
    quiet = msgspec.structs.replace(CALLS, bursts=())
    more = expected_a_minute(CALLS, MONDAY) - expected_a_minute(quiet, MONDAY)
    burst = slice(WARM_UP_MINUTES + 630, WARM_UP_MINUTES + 640)
    assert more[burst] == pytest.approx(60)
    assert more.sum() == pytest.approx(600)


def test_durations_are_as_long_and_as_different_as_said() -> None:
    unbounded = msgspec.structs.replace(CALLS, minutes=Durations(mean=3, spread=0.8, longest=1000))
    lengths = [call.duration_s / 60 for call in drawn(unbounded)]
    assert fmean(lengths) == pytest.approx(3, rel=0.03)
    assert pstdev(lengths) / fmean(lengths) == pytest.approx(0.8, rel=0.05)
    assert max(call.duration_s for call in drawn()) == 600


def test_some_only_type() -> None:
    assert fmean(not call.spoken for call in drawn()) == pytest.approx(0.2, abs=0.01)
