"""Which hours are meant, and what is wanted in them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.scaling.schedule import DAYS, DEPLOYMENTS, Hours, highest

MONDAY = datetime(2026, 11, 23)  # noqa: DTZ001 - the wall clock's


def hours(**given: object) -> Hours:
    return msgspec.convert({"replicas": {"Gateway": 2}, **given}, Hours)


def at(day: int, time: str) -> datetime:
    """`day` days after that Monday."""
    hour, minute = map(int, time.split(":"))
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("day", "time", "holds"),
    [(0, "07:59", False), (0, "08:00", True), (0, "19:59", True), (0, "20:00", False), (5, "12:00", False)],
)
def test_from_is_within_until_is_not(day: int, time: str, holds: bool) -> None:
    office = hours(days=["mon", "fri"], **{"from": "08:00", "until": "20:00"})
    assert office.hold(at(day, time)) is holds


@pytest.mark.parametrize(
    ("day", "time", "holds"),
    [(4, "21:59", False), (4, "22:00", True), (5, "05:59", True), (5, "06:00", False), (4, "03:00", False)],
)
def test_over_midnight_the_day_is_that_on_which_it_begins(day: int, time: str, holds: bool) -> None:
    friday_night = hours(days=["fri"], **{"from": "22:00", "until": "06:00"})
    assert friday_night.hold(at(day, time)) is holds


def test_sunday_night_ends_on_monday() -> None:
    night = hours(days=["sun"], **{"from": "22:00", "until": "06:00"})
    assert (night.hold(at(0, "05:00")), night.hold(at(7, "05:00")), night.hold(at(6, "23:00"))) == (True, True, True)


def test_without_times_it_is_the_whole_day_and_without_days_always() -> None:
    assert [hours(days=["tue"]).hold(at(day, "00:00")) for day in range(7)] == [day == 1 for day in range(7)]
    assert [hours(days=["tue"]).hold(at(day, "23:59")) for day in range(7)] == [day == 1 for day in range(7)]
    assert all(hours().hold(at(day, "13:00")) for day in range(7))


def seconds_held(window: Hours, zone: str, begin: datetime) -> int:
    """Of the 24 hours of real time from `begin` on, in steps of five minutes."""
    moments = (begin + timedelta(minutes=minutes) for minutes in range(0, 24 * 60, 5))
    return sum(window.hold(moment.astimezone(ZoneInfo(zone))) for moment in moments) * 300


def test_what_the_wall_clock_repeats_is_twice_within() -> None:
    night = hours(**{"from": "01:00", "until": "02:00"})
    assert seconds_held(night, "Europe/Dublin", datetime(2026, 10, 24, 12, tzinfo=UTC)) == 7200
    assert seconds_held(night, "Europe/Dublin", datetime(2026, 3, 28, 12, tzinfo=UTC)) == 0, "and what it leaves out"
    assert seconds_held(night, "America/Sao_Paulo", datetime(2026, 10, 24, 12, tzinfo=UTC)) == 3600


times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))


@given(st.sets(st.sampled_from(DAYS), min_size=1), times, times)
@settings(max_examples=30)
def test_each_day_has_as_many_minutes_as_its_hours(days: set[str], start: str, until: str) -> None:
    window = hours(days=sorted(days), **{"from": start, "until": until})
    begin, end = (int(time[:2]) * 60 + int(time[3:]) for time in (start, until))
    week = sum(window.hold(MONDAY + timedelta(minutes=minutes)) for minutes in range(0, 7 * 24 * 60, 15))
    assert week * 15 == len(days) * ((end - begin) % (24 * 60) or 24 * 60)


floors = st.dictionaries(st.sampled_from(DEPLOYMENTS), st.integers(0, 1000))


@given(st.lists(floors))
def test_the_highest_floor_counts_and_all_are_named(given: list[dict[str, int]]) -> None:
    result = highest(given)  # type: ignore[arg-type]
    assert result.keys() == set(DEPLOYMENTS)
    for name in DEPLOYMENTS:
        assert result[name] == max([0, *(each[name] for each in given if name in each)])
