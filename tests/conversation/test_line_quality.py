from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.line_quality import GOOD_AFTER_S, SETTLING_S, LineQuality

LUMP_S = 0.1


def arrive(line: LineQuality, since: float, delays_s: Iterable[float], backlog_s: float = 0.0) -> list[float]:
    """Audio, a message for each delay, in time but for that; when the verdict changed."""
    changes = []
    for count, delay in enumerate(delays_s, start=1):
        now = since + count * LUMP_S + delay
        line.arrived(LUMP_S, backlog_s, now)
        if line.judge(now):
            changes.append(now)
    return changes


def test_an_even_line_is_good_whatever_its_delay() -> None:
    line = LineQuality(0.0)
    assert arrive(line, 0.0, [0.7] * 300) == []
    assert line.measures.jitter_s == pytest.approx(0.0)


def test_one_late_message_is_no_bad_line() -> None:
    line = LineQuality(0.0)
    assert arrive(line, 0.0, [0.4 if i == 50 else 0.0 for i in range(100)]) == []


def test_an_uneven_line_is_bad_and_good_again_after_a_while() -> None:
    line = LineQuality(0.0)
    [turned_bad] = arrive(line, 0.0, [0.2 * (i % 2) for i in range(60)])
    assert SETTLING_S < turned_bad < SETTLING_S + 1.5
    [turned_good] = arrive(line, 6.0, [0.0] * 200)
    assert turned_good - 6.0 > GOOD_AFTER_S


def test_what_happens_while_the_client_opens_its_devices_does_not_count() -> None:
    line = LineQuality(0.0)
    assert arrive(line, 0.0, [0.2 * (i % 2) for i in range(int(SETTLING_S / LUMP_S) - 1)]) == []


def test_slow_round_trips_make_it_bad() -> None:
    line = LineQuality(0.0)
    line.pinged(None)
    assert not line.judge(0.0)
    line.pinged(500)
    assert line.judge(1.0)
    assert line.bad


def test_between_good_and_bad_nothing_changes() -> None:
    line = LineQuality(0.0)
    line.pinged(300)
    assert not line.judge(0.0)
    line.pinged(500)
    assert line.judge(1.0)
    line.pinged(300)
    assert not line.judge(1 + 2 * GOOD_AFTER_S)
    line.pinged(100)
    assert not line.judge(60.0)
    assert line.judge(60.0 + GOOD_AFTER_S)
    assert not line.bad


def test_sound_that_the_client_does_not_take_makes_it_bad() -> None:
    line = LineQuality(0.0)
    assert arrive(line, 10.0, [0.0] * 3, backlog_s=0.5)
    assert line.measures.backlog_s == 0.5


@given(st.lists(st.floats(0, 5), max_size=80))
def test_it_does_not_flap(delays: list[float]) -> None:
    """Good again is said GOOD_AFTER_S after bad at the soonest."""
    line = LineQuality(0.0)
    changes = arrive(line, 10.0, sorted(delays) if len(delays) % 2 else delays)
    pairs = zip(changes[::2], changes[1::2], strict=False)
    assert all(good - bad >= GOOD_AFTER_S for bad, good in pairs)
