"""What a plan comes to, against sums that can be done by hand."""

from dataclasses import replace

import msgspec
import pytest

from serve_app.planning.arrivals import Call
from serve_app.planning.report import day, limits, table
from serve_app.planning.summary import Summary, summarise
from serve_app.planning.traffic import Providers
from tests.planning.small_region import CLUSTER, TRAFFIC, region, run

TEN = [Call(0, 9000, True) for _ in range(10)]
TICK_S = 10.0


@pytest.fixture(scope="module")
def two_hours() -> Summary:
    return summarise(run(calls=TEN, hours=2, tick_s=TICK_S), region(), TRAFFIC, CLUSTER, TICK_S)


def test_an_hour_costs_what_machines_and_providers_cost(two_hours: Summary) -> None:
    costs = two_hours.hours[1].costs
    assert costs.nodes == pytest.approx(1.0)
    assert costs.recognitions == pytest.approx(10 * 360 * 2 * 10 / 3600 * 0.36)  # each billed as 10 s
    assert costs.answers == pytest.approx(10 * 360 / 1000 * 2)
    assert costs.voices == pytest.approx(10 * 360 * 2 * 50 / 1000 * 0.5)
    assert costs.total == pytest.approx(sum(costs))


def test_the_day_is_the_sum_of_its_hours(two_hours: Summary) -> None:
    assert two_hours.costs.total == pytest.approx(sum(hour.costs.total for hour in two_hours.hours))
    assert [hour.number for hour in two_hours.hours] == [0, 1]
    assert two_hours.call_minutes == pytest.approx(10 * 120, rel=0.01)
    assert (two_hours.hours[1].typical, two_hours.hours[1].most) == (10, 10)


def test_limits_are_told_as_shares_of_what_may_be(two_hours: Summary) -> None:
    assert two_hours.used["replicas of Gateway"] == 2 / 8
    assert two_hours.used["nodes of cpu"] == 1 / 5
    assert two_hours.used["Groq's recognitions"] == pytest.approx(120 / 10_000)
    assert two_hours.used["ElevenLabs' generations"] == pytest.approx(2 / 100)
    assert next(limits(two_hours)) == "limits first: replicas of Gateway, 25% of it used at the worst moment"


def test_a_limit_that_is_reached_is_said_to_be(two_hours: Summary) -> None:
    tight = msgspec.structs.replace(TRAFFIC, providers=Providers(120, 60, 100))
    lines = list(limits(summarise(run(calls=TEN, traffic=tight, tick_s=TICK_S), region(), tight, CLUSTER, TICK_S)))
    assert lines[0] == "at its limit: Groq's recognitions, 100% of it used at the worst moment"
    assert lines[1] == "near theirs: Groq's answers 100%"


def test_the_table_has_a_row_for_each_hour(two_hours: Summary) -> None:
    rows = [line.split() for line in table(two_hours, "BRL")]
    assert len(rows) == 1 + 2
    assert len({len(line) for line in table(two_hours, "BRL")}) == 1
    first = dict(zip(rows[0][:9], rows[1][:9], strict=True))
    assert first["hour"] == "00:00"
    assert first["Gateway"] == "1-2"


def test_the_day_says_what_went_wrong() -> None:
    """Half of a burst finds no place, and there are more calls than is well."""
    calls = [Call(60 + 0.1 * number, 1200, True) for number in range(20)]
    summary = summarise(run(calls=calls, hours=0.25, tick_s=TICK_S), region(), TRAFFIC, CLUSTER, TICK_S)
    lines = "\n".join(day(summary, "BRL"))
    assert "20 calls" in lines
    assert "10 (50.00%) refused" in lines
    assert summary.sum("over_s") > 0


@pytest.mark.parametrize("calls", [[], [Call(60, 60, True)] * 3])
def test_where_no_call_is_taken_there_is_no_price_of_one(calls: list[Call]) -> None:
    nowhere = replace(CLUSTER, kinds=tuple(kind._replace(at_least=0, at_most=0) for kind in CLUSTER.kinds))
    summary = summarise(run(calls=calls, hours=0.1, tick_s=TICK_S, cluster=nowhere), region(), TRAFFIC, nowhere, TICK_S)
    assert summary.sum("taken") == 0
    assert summary.sum("refused") == len(calls)
    assert "BRL - a call that was taken, - a minute of one" in day(summary, "BRL")
    assert [line.split()[-1] for line in table(summary, "BRL")] == ["BRL/call", "-"]


def test_a_call_costs_what_is_paid_for_those_that_are_taken() -> None:
    """Twenty call one gateway at once, and half of them find no place."""
    calls = [Call(60, 9000, True)] * 20
    summary = summarise(run(calls=calls, hours=1, tick_s=TICK_S), region(), TRAFFIC, CLUSTER, TICK_S)
    [hour] = summary.hours
    assert (hour.taken, hour.refused) == (10, 10)
    assert [*table(summary, "BRL")][1].split()[-1] == f"{hour.costs.total / 10:.3f}"


def test_what_there_always_is_limits_nothing() -> None:
    fixed = region(Gateway=(1, 8), Vad=(2, 2), TtsProxy=(3, 4))
    cluster = replace(CLUSTER, kinds=(CLUSTER.kinds[0]._replace(at_least=5), CLUSTER.kinds[1]._replace(at_most=0)))
    summary = summarise(run(fixed, hours=0.1, tick_s=TICK_S, cluster=cluster), fixed, TRAFFIC, cluster, TICK_S)
    assert {name: share for name, share in summary.used.items() if share} == {
        "replicas of Gateway": 1 / 8,
        "replicas of TtsProxy": 3 / 4,
        "nodes of all kinds": 5 / 9,
    }
    assert next(limits(summary)) == "limits first: replicas of TtsProxy, 75% of it used at the worst moment"
