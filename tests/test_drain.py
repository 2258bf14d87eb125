"""Which calls of a replica that is to go move, and when. And how it learns that it is, from a real server."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.drain import LAST_S, MOVING_S, Drain, is_announced
from tests.health_check import health_check

DRAIN = Drain(ends_at=1000.0)


def test_at_first_calls_are_let_be_and_new_ones_taken() -> None:
    now = DRAIN.ends_at - MOVING_S - 0.1
    assert DRAIN.takes_calls(now)
    assert not DRAIN.moves(now, between_turns=True)


def test_then_whoever_is_between_turns_moves_and_nobody_comes() -> None:
    now = DRAIN.ends_at - MOVING_S
    assert not DRAIN.takes_calls(now)
    assert DRAIN.moves(now, between_turns=True)
    assert not DRAIN.moves(now, between_turns=False)


def test_at_last_all_do() -> None:
    assert not DRAIN.moves(DRAIN.ends_at - LAST_S - 0.1, between_turns=False)
    assert DRAIN.moves(DRAIN.ends_at - LAST_S, between_turns=False)
    assert DRAIN.moves(DRAIN.ends_at + 1, between_turns=False)


def test_where_there_is_little_time_they_move_at_once() -> None:
    """On a laptop a drain takes a second."""
    assert Drain(ends_at=1.0).moves(0.0, between_turns=False)


@given(st.floats(0, 2000), st.booleans())
def test_who_has_moved_would_move_at_any_later_time(now: float, between_turns: bool) -> None:
    if DRAIN.moves(now, between_turns=between_turns):
        assert DRAIN.moves(now + 1, between_turns=between_turns)
        assert not DRAIN.takes_calls(now)


@pytest.mark.parametrize(
    ("status", "said", "announced"), [(200, "success", False), (503, "DRAINING", True), (503, "UNHEALTHY", False)]
)
def test_the_replica_s_health_check_tells(status: int, said: str, announced: bool) -> None:
    with health_check(status, said) as port:
        assert asyncio.run(is_announced("127.0.0.1", port)) is announced


def test_no_answer_is_no_announcement() -> None:
    with health_check(503, "DRAINING") as port:
        pass
    assert not asyncio.run(is_announced("127.0.0.1", port))
