"""Arithmetic of demand: what must hold whatever replicas tell."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.scaling.demand import (
    RECENT_S,
    SILENT_S,
    growth,
    is_silent,
    newest,
    places_for,
    recent,
    replicas_for,
    work_of,
)
from tests.scaling.told import NOW, series

loads = st.lists(st.floats(0, 1000), min_size=1, max_size=8)
fleets = st.lists(loads, min_size=1, max_size=3)


def places(fleet: Sequence[Sequence[float]], *, spare: float = 8, lead_s: float = 20, strained: int = 0) -> float:
    """`strained`: so many of them, the first."""
    flags = [number < strained for number in range(len(fleet))]
    return places_for([series(each) for each in fleet], flags, full=64, spare=spare, lead_s=lead_s, period_s=30)


def test_work_is_that_of_the_last_seconds() -> None:
    assert recent(series([9, 9, 9, 1, 2, 3, 4, 5])) == 3
    assert recent(series([4])) == 4
    assert len([1, 2, 3, 4, 5]) == RECENT_S
    assert work_of({"a": series([1, 2, 3]), "b": series([4])}) == 6


def test_a_report_is_old_after_a_while() -> None:
    assert not is_silent(series([1.0]), NOW + SILENT_S)
    assert is_silent(series([1.0]), NOW + SILENT_S + 0.1)


def test_so_is_one_of_a_time_to_come() -> None:
    """The node's clock was set back: later reports are sorted in before it, and never become the newest."""
    assert not is_silent(series([1.0]), NOW - SILENT_S)
    assert is_silent(series([1.0]), NOW - SILENT_S - 0.1)


def test_places_are_for_those_who_are_there_and_those_who_come_meanwhile() -> None:
    assert places([[30] * 30]) == 38, "nobody comes: the spare ones"
    assert places([[0] * 15 + [30] * 15]) == 30 + 20 * 30 / 30, "one a second, for 20 s"
    assert places([[60] * 15 + [30] * 15]) == 38, "they go: the spare ones"
    assert places([[0, 6], [20, 20]], spare=0, lead_s=60) == 26 + 60 * 6 / 30, "of all gateways together"


def test_a_strained_gateway_is_full() -> None:
    assert places([[10], [5]], spare=0, strained=1) == 64 + 5
    assert places([[70], [5]], spare=0, strained=1) == 75


@pytest.mark.parametrize(
    ("work", "each", "replicas"), [(0, 10, 0), (0.01, 10, 1), (10, 10, 1), (10.001, 10, 2), (0.1 + 0.2, 0.1, 3)]
)
def test_replicas_for_work(work: float, each: float, replicas: int) -> None:
    assert replicas_for(work, each) == replicas


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.1, 100))
def test_more_work_never_needs_fewer(less: float, more: float, each: float) -> None:
    less, more = sorted((less, more))
    assert 0 <= replicas_for(less, each) <= replicas_for(more, each)
    assert replicas_for(more, each) * each >= more * (1 - 1e-6) - 1e-6, "they are enough"
    assert replicas_for(more, each) <= math.ceil(more / each), "and no more than that"


@given(fleets, st.floats(0, 100), st.floats(0, 600), st.data())
@settings(max_examples=50)
def test_more_conversations_never_need_fewer_places(
    fleet: list[list[float]], spare: float, lead_s: float, data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(fleet) - 1))
    more = [list(each) for each in fleet]
    more[which][-1] += data.draw(st.floats(0, 100))
    assert places(more, spare=spare, lead_s=lead_s) >= places(fleet, spare=spare, lead_s=lead_s)


@given(fleets, st.floats(0, 100), st.floats(0, 600))
@settings(max_examples=50)
def test_there_is_always_room_for_those_who_are_there_and_the_spare_ones(
    fleet: list[list[float]], spare: float, lead_s: float
) -> None:
    there = sum(newest(series(each)) for each in fleet)
    for strained in range(len(fleet) + 1):
        assert places(fleet, spare=spare, lead_s=lead_s, strained=strained) >= there + spare


@given(fleets, st.floats(0, 100), st.floats(0, 600), st.floats(0, 600))
@settings(max_examples=50)
def test_growth_and_a_longer_lead_only_help(
    fleet: list[list[float]], spare: float, short_s: float, long_s: float
) -> None:
    short_s, long_s = sorted((short_s, long_s))
    assert places(fleet, spare=spare, lead_s=long_s) >= places(fleet, spare=spare, lead_s=short_s)
    level = [[each[-1]] * len(each) for each in fleet]
    assert sum(growth(series(each)) for each in level) == 0
    assert places(fleet, spare=spare, lead_s=long_s) >= places(level, spare=spare, lead_s=long_s)


@given(fleets, loads)
@settings(max_examples=50)
def test_one_gateway_more_never_needs_fewer_places(fleet: list[list[float]], another: list[float]) -> None:
    """Had it lost conversations, it could: they may have gone to the others."""
    another = sorted(another)
    assert places([*fleet, another]) >= places(fleet)
