import math

import pytest

from tests.soak.callers import Answer
from tests.soak.capacity import Step, percentiles


def step(p95_s: float, met: dict[str, int] | None = None) -> Step:
    return Step(1, 10, 0.001, p95_s, (0.1, 0.1), met or {})


@pytest.mark.parametrize(
    ("alone_s", "p95_s", "late"),
    [(0.3, 0.59, False), (0.3, 0.61, True), (0.002, 0.09, False), (0.002, 0.11, True)],
)
def test_late_is_twice_as_late_as_alone_and_so_late_that_somebody_notices(
    alone_s: float, p95_s: float, late: bool
) -> None:
    assert step(p95_s).is_late(step(alone_s)) == late


def test_what_goes_wrong_is_too_much_in_any_case() -> None:
    assert step(0.001, {"no answer": 1}).is_late(step(0.3))


def test_percentiles_of_answers() -> None:
    answers = [Answer(True, ms / 1000) for ms in range(101)]
    assert percentiles(answers) == pytest.approx((0.050, 0.095))
    assert percentiles([]) == (math.inf, math.inf)
