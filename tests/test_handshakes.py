import random
import time
from heapq import heapify, heappop, heappush
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.handshakes import MOST, REMEMBERED_S, TIMES, TOO_EARLY, Handshakes, are_asked_again

HAPROXY = {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure 425"}
FLAGS = Path(__file__).parents[1] / "configs" / "ray.env"
MOST_GATEWAYS = 8


def test_one_that_comes_back_again_and_again_is_answered() -> None:
    handshakes = Handshakes()
    assert [handshakes.may_leave("key", 0.001 * attempt) for attempt in range(TIMES + 1)] == [True] * TIMES + [False]


def test_another_with_the_same_key_is_another() -> None:
    """A client that is not as random as it should be."""
    handshakes = Handshakes()
    for attempt in range(TIMES):
        assert handshakes.may_leave("key", attempt)
    assert handshakes.may_leave("key", TIMES + REMEMBERED_S)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=50))
def test_each_is_counted_for_itself_and_none_for_ever(attempts: list[tuple[str, float]]) -> None:
    handshakes, now = Handshakes(), 0.0
    for key, pause in attempts:
        now += pause
        handshakes.may_leave(key, now)
        assert len(handshakes._left) <= 3
    handshakes.may_leave("d", now + REMEMBERED_S + 1)
    assert list(handshakes._left) == ["d"]


def test_beyond_so_many_nobody_is_left_to_others_until_they_are_forgotten() -> None:
    handshakes = Handshakes()
    assert all(handshakes.may_leave(str(key), 0) for key in range(MOST))
    assert not handshakes.may_leave("one more", 1)
    assert handshakes.may_leave("0", 1), "who is known comes back"
    assert handshakes.may_leave("one more", REMEMBERED_S + 0.5)


def test_a_crowd_of_handshakes_costs_each_of_them_no_more() -> None:
    """The best of five: others may have the processor."""
    best_s = 1.0
    for _ in range(5):
        handshakes = Handshakes()
        for key in range(MOST - 1000):
            handshakes.may_leave(str(key), 0)
        begun = time.perf_counter()
        for key in range(1000):
            handshakes.may_leave(f"late {key}", 1)
        best_s = min(best_s, time.perf_counter() - begun)
    assert best_s < 1000 * 20e-6


# ---- as HAProxy leads them


def refused(gateways: int, *, callers: int, within_s: float, attempt_s: float, seed: int) -> int:
    """How many of `callers` nobody takes, though one of the gateways has room for all: HAProxy leads all of them to the
    gateways in turn, each attempt takes up to half as long again, and a gateway answers one after the other."""
    chance = random.Random(seed)
    doors = [Handshakes() for _ in range(gateways - 1)]
    free_at = [0.0] * gateways
    coming = [(chance.uniform(0, within_s), str(key)) for key in range(callers)]
    heapify(coming)
    turn, nobody = chance.randrange(gateways), 0
    while coming:
        at, key = heappop(coming)
        which, turn = turn % gateways, turn + 1
        free_at[which] = max(at, free_at[which]) + attempt_s * chance.uniform(1, 1.5)
        if which == len(doors):
            continue
        if doors[which].may_leave(key, free_at[which]):
            heappush(coming, (free_at[which] + chance.uniform(0.0003, 0.0006), key))
        else:
            nobody += 1
    return nobody


@pytest.mark.parametrize("gateways", [2, 3, MOST_GATEWAYS])
@pytest.mark.parametrize(("callers", "within_s"), [(20, 0.005), (20, 1.0)])
def test_hardly_anybody_is_refused_while_one_gateway_has_room(gateways: int, callers: int, within_s: float) -> None:
    times = 20
    for attempt_s in (0.002, 0.01):
        nobody = sum(
            refused(gateways, callers=callers, within_s=within_s, attempt_s=attempt_s, seed=seed)
            for seed in range(times)
        )
        assert nobody / (times * callers) < 0.01


def test_haproxy_asks_often_enough() -> None:
    """Until each of the gateways has been asked TIMES times, and some that are dead."""
    flags = dict(line.split("=", 1) for line in FLAGS.read_text().splitlines() if line.startswith("RAY_"))
    assert int(flags["RAY_SERVE_HAPROXY_RETRIES"]) >= TIMES * MOST_GATEWAYS + MOST_GATEWAYS
    assert str(TOO_EARLY) in flags["RAY_SERVE_HAPROXY_RETRY_ON"]
    assert flags["RAY_SERVE_HAPROXY_BALANCE_ALGORITHM"] == "roundrobin"


def test_only_haproxy_asks_again_and_only_if_it_is_told() -> None:
    assert are_asked_again(HAPROXY)
    assert not are_asked_again({})
    assert not are_asked_again(HAPROXY | {"RAY_SERVE_ENABLE_HA_PROXY": "0"})
    assert not are_asked_again(HAPROXY | {"RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure"})
