"""When a loop that is late has too much to do, and when it has recovered."""

from itertools import repeat

from serve_app.strain import HIGH_S, SAMPLES, WELL_S, Strain

LATE = 2 * HIGH_S
SHARE_OF_LATE = 1 + SAMPLES // 20  # one more than 5 %


def fed(*runs: tuple[float, int]) -> Strain:
    strain = Strain()
    for late_s, count in runs:
        for late in repeat(late_s, count):
            strain.observe(late)
    return strain


def test_a_loop_in_time_is_not_strained() -> None:
    assert not fed((0.005, 3 * SAMPLES)).is_high


def test_one_that_is_late_again_and_again_is() -> None:
    assert not fed((0.0, SAMPLES), (LATE, SHARE_OF_LATE - 2)).is_high
    assert fed((0.0, SAMPLES), (LATE, SHARE_OF_LATE)).is_high


def test_one_long_stall_is_over_when_it_is_told() -> None:
    assert not fed((0.0, SAMPLES), (30.0, 1)).is_high


def test_what_happens_while_the_server_starts_does_not_count() -> None:
    assert not fed((LATE, SAMPLES - 1)).is_high


def test_it_recovers_within_a_window() -> None:
    assert fed((LATE, SAMPLES), (0.0, SAMPLES // 2)).is_high
    assert not fed((LATE, SAMPLES), (0.0, SAMPLES)).is_high


def test_it_does_not_come_and_go_around_the_limit() -> None:
    """Between the two limits it stays what it was."""
    between = (HIGH_S + WELL_S) / 2
    assert not fed((0.0, SAMPLES), (between, 3 * SAMPLES)).is_high
    assert fed((LATE, SAMPLES), (between, 3 * SAMPLES)).is_high
