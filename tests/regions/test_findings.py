import math
from collections.abc import Sequence

import pytest

from tests.chaos.caller import Way
from tests.regions.findings import Finding, climbs, of_code, of_load, of_numbers, of_wakings, of_wave
from tests.regions.measured import GPU, NODES, OTHER_REGION, samples, starting, visit
from tests.regions.prober import Probe
from tests.regions.updates import Change, Code, Numbers
from tests.regions.visits import Plan, Visit
from tests.regions.wave import GATEWAY, Wave
from tests.regions.whisper import WHISPER, Load, Waking

UP_AND_DOWN = [1, 1, 2, 3, 3, 2, 1]


def met(finding: Finding) -> list[bool]:
    return [bar.met for bar in finding.bars]


@pytest.mark.parametrize(
    ("values", "levels", "does"),
    [
        ([1, 1, 3, 3, 1], (1, 3, 1), True),
        ([1, 2, 3, 2, 1], (1, 3, 1), True),
        ([0, 1, 3, 1, 0, 1, 0], (0, 1, 3, 0), True),
        ([1, 2, 1], (1, 3, 1), False),
        ([1, 3, 4, 1], (1, 3, 1), False),
        ([1, 3, 3, 2], (1, 3, 1), False),
        ([0, 3, 1, 0], (0, 1, 3, 0), False),
        ([2, 1, 3, 1], (1, 3, 1), False),
        ([], (1, 3, 1), False),
    ],
)
def test_climbs(values: Sequence[int], levels: Sequence[int], does: bool) -> None:
    assert climbs(values, levels) is does


def test_a_wave_is_told_with_its_plots() -> None:
    finding = of_wave(Wave(100.0, [visit(), visit()], samples(GATEWAY, UP_AND_DOWN), {}))
    assert met(finding) == [True, True, True]
    assert "| 2 | 0 | 0 | 0 |" in finding.told
    assert "open calls" in finding.told
    assert finding.told.count("```") == 2


def test_a_call_that_is_cut_is_found_also_if_it_came_back() -> None:
    for back in (True, False):
        finding = of_wave(Wave(100.0, [visit(), visit(broken=True, back=back)], samples(GATEWAY, UP_AND_DOWN), {}))
        assert met(finding) == [False, True, True]


def test_who_is_never_taken_is_found() -> None:
    away = Visit(Plan(0.0, 60.0, Way.WRITING), refusals=["1013: all lines are busy: try again"] * 30)
    finding = of_wave(Wave(100.0, [visit(), away], samples(GATEWAY, UP_AND_DOWN), {}))
    assert met(finding) == [True, False, True]
    assert "| 2 | 0 | 30 (all lines are busy) | 1 |" in finding.told


def test_a_trace_is_what_the_simulator_reads() -> None:
    curve = samples(GATEWAY, [1, 1, 1, 2])
    curve[1:3] = [starting(GATEWAY, 1, each) for each in curve[1:3]]
    wave = Wave(100.0, [visit()], curve, {"name": GATEWAY})
    assert wave.trace() == {
        "config": {"name": GATEWAY},
        "startup_s": 2.0,
        "arrivals": [[0.5, 60.5]],
        "samples": [[0.0, 10, 1, 1], [1.0, 10, 1, 2], [2.0, 10, 1, 2], [3.0, 20, 2, 2]],
    }


def test_without_a_new_gateway_there_is_no_start() -> None:
    assert math.isnan(Wave(100.0, [visit()], samples(GATEWAY, [1, 1]), {}).startup_s)


def test_numbers_that_are_late_or_cost_a_replica_are_found() -> None:
    quick, late = Change("quick", 3.0, 3.5), Change("late", 3.0, 6.0)
    assert met(of_numbers(Numbers([quick], [visit()], 0))) == [True, True, True]
    assert met(of_numbers(Numbers([quick, late], [visit()], 0))) == [True, True, False]
    assert met(of_numbers(Numbers([quick], [visit(broken=True)], 1))) == [False, False, True]


def test_in_an_update_calls_may_resume_and_newcomers_must_be_taken() -> None:
    taken, failed = Probe(0.0, 0.1, ""), Probe(0.2, 5.0, "TimeoutError")
    resumed, lost = visit(broken=True), visit(broken=True, back=False)
    assert met(of_code(Code(20.0, [visit(), resumed], [taken]))) == [True, True]
    assert met(of_code(Code(20.0, [visit(), lost], [taken, failed]))) == [False, False]


def test_whisper_elsewhere_or_a_turn_without_answer_is_found() -> None:
    curve = [0, 1, 2, 3, 1, 0]
    assert met(of_load(Load(100.0, [visit()], samples(WHISPER, curve), NODES))) == [True, True, True]
    astray = samples(WHISPER, curve, OTHER_REGION)
    assert met(of_load(Load(100.0, [visit(given_up=True)], astray, NODES))) == [False, True, False]
    nowhere = samples(WHISPER, [0, 0], GPU)
    assert met(of_load(Load(100.0, [visit()], nowhere, NODES))) == [False, False, True]


def waking(
    running_s: float | None, *, floor_s: float | None = 13.5, turns: Sequence[float] = (0.0, 9.8, 19.6)
) -> Waking:
    answers = [(5.5, False), (16.0, False), (22.4, True)]
    return Waking(False, 11.6, 13.3, running_s, floor_s, turns, answers)


def test_waking_is_in_time_until_the_third_turn_begins() -> None:
    assert met(of_wakings([waking(17.1), waking(19.5)])) == [True, True]
    assert met(of_wakings([waking(17.1), waking(19.7)])) == [False, True]
    assert met(of_wakings([waking(30.0, turns=(0.0, 9.8))])) == [True, True], "there was no third turn"
    assert met(of_wakings([waking(None, floor_s=None)])) == [False, False]


def test_waking_is_told_turn_by_turn() -> None:
    told = of_wakings([waking(17.1)]).told
    assert "| 11.6 | 13.3 | 17.1 | 13.5 | 0.0, 9.8, 19.6 | 5.5 (apology), 16.0 (apology), 22.4 |" in told
    assert "never" in of_wakings([waking(None)]).told
