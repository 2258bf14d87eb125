"""The calls of a day: drawn anew, and the same for the same seed."""

from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from serve_app.planning.traffic import MINUTES_A_DAY, Calls, Durations, Weekday, minute_of

WARM_UP_MINUTES = 60
"""Drawn before midnight, so that the day begins with the calls that go on then."""
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
"""In the order of `date.weekday()`."""


class Call(NamedTuple):
    """`start_s` counts from midnight, and is negative before it."""

    start_s: float
    duration_s: float
    spoken: bool


def draw_calls(calls: Calls, weekday: int, generator: np.random.Generator) -> list[Call]:
    """A Poisson process whose rate changes by the minute, in order; `weekday` 0 is Monday."""
    expected = expected_a_minute(calls, weekday)
    counts = generator.poisson(expected)
    minutes = np.repeat(np.arange(-WARM_UP_MINUTES, MINUTES_A_DAY), counts)
    starts = np.sort((minutes + generator.random(minutes.size)) * 60.0)
    durations = _durations(calls.minutes, starts.size, generator)
    spoken = generator.random(starts.size) >= calls.typed
    return [Call(*call) for call in zip(starts.tolist(), durations.tolist(), spoken.tolist(), strict=True)]


def expected_a_minute(calls: Calls, weekday: int) -> NDArray[np.float64]:
    """How many calls are expected to begin in each minute from WARM_UP_MINUTES before midnight to the next midnight.

    An hour's share is the rate in its middle; between two middles the rate goes over evenly, since callers know no
    full hours. A day's sum stays what it is, as hours are equally long.
    """
    factor = calls.weekdays.get(WEEKDAYS[weekday], 1.0)
    shares = np.asarray(calls.hourly) / sum(calls.hourly)
    minutes = np.arange(-WARM_UP_MINUTES, MINUTES_A_DAY) + 0.5
    middles = np.arange(24) * 60.0 + 30.0
    expected = np.interp(minutes, middles, shares / 60.0, period=MINUTES_A_DAY) * calls.a_day * factor
    for burst in calls.bursts:
        begun = minute_of(burst.at)
        overlap = np.minimum(minutes + 0.5, begun + burst.minutes) - np.maximum(minutes - 0.5, begun)
        expected += np.clip(overlap, 0.0, 1.0) * burst.calls / burst.minutes
    return np.asarray(expected)


def _durations(minutes: Durations, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Seconds. Mean and spread are those before the longest are cut off."""
    variance = np.log1p(minutes.spread**2)
    drawn = generator.lognormal(np.log(minutes.mean) - variance / 2, np.sqrt(variance), count)
    return np.minimum(drawn, minutes.longest) * 60.0
