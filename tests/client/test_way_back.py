"""Where, when and what for: without a clock, and without a line."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.client.line import Address, LineLost
from serve_app.client.way_back import BEGINS_ANEW_S, GIVES_UP_AFTER_S, LEAVES_HOME_S, Attempt, WayBack
from tests.client.two_servers import latest

HOME, NEXT, LAST = (Address.of(f"http://{name}", "default", resume=True) for name in ("home", "next", "last"))
REFUSED_S = 0.0
REFUSED = LineLost(1008, "there is no such agent")


def soonest(low: float, high: float) -> float:
    return low


def attempts(
    way: WayBack,
    takes_s: Callable[[Attempt], float] = lambda attempt: REFUSED_S,
    unknown: frozenset[Address] = frozenset(),
) -> list[tuple[float, Attempt]]:
    """All that fail after a loss at 0, and when they are made."""
    made, now = [], 0.0
    way.lost(now, line_since=-100.0)
    while attempt := way.next(now):
        now += attempt.wait_s
        made.append((now, attempt))
        now += takes_s(attempt)
        if attempt.address in unknown and not attempt.anew:
            way.unknown(now)
    return made


def attempts_after(way: WayBack, now: float) -> list[tuple[float, Attempt]]:
    """The rest of them."""
    made = []
    while attempt := way.next(now):
        now += attempt.wait_s
        made.append((now, attempt))
    return made


def hosts(made: list[tuple[float, Attempt]]) -> list[Address]:
    return [attempt.address for _, attempt in made]


def test_a_single_server_is_asked_to_go_on_until_it_is_too_late() -> None:
    made = attempts(WayBack([HOME], HOME, latest))
    assert [at for at, _ in made][:8] == pytest.approx([0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3, 16.3])
    assert made[-1][0] <= GIVES_UP_AFTER_S
    assert not any(attempt.anew for _, attempt in made)


def test_home_is_asked_alone_at_first() -> None:
    made = attempts(WayBack([HOME, NEXT, LAST], HOME, latest))
    assert {attempt.address for at, attempt in made if at < LEAVES_HOME_S[1]} == {HOME}
    assert [address for address in hosts(made) if address != HOME][:2] == [NEXT, LAST], "the nearest first"


def test_elsewhere_a_conversation_is_gone_on_with_before_another_is_begun() -> None:
    for jitter in (soonest, latest):
        made = [(at, each) for at, each in attempts(WayBack([HOME, NEXT], HOME, jitter)) if each.address == NEXT]
        begins = BEGINS_ANEW_S[jitter is latest]
        assert {attempt.anew for at, attempt in made if at < begins} == {False}
        assert {attempt.anew for at, attempt in made if at >= begins} == {True}


def test_home_is_only_ever_asked_to_go_on() -> None:
    made = attempts(WayBack([HOME, NEXT], HOME, latest))
    assert not any(attempt.anew for _, attempt in made if attempt.address == HOME)
    assert max(at for at, attempt in made if attempt.address == HOME) > 50


def test_who_does_not_know_the_conversation_is_asked_for_another_one_when_it_is_time() -> None:
    made = attempts(WayBack([HOME, NEXT], HOME, latest), unknown=frozenset({NEXT}))
    elsewhere = [(at, attempt.anew) for at, attempt in made if attempt.address == NEXT]
    assert elsewhere[:2] == [(2.0, False), (10.0, True)]


def test_where_home_does_not_know_it_either_another_begins_at_once() -> None:
    made = attempts(WayBack([HOME], HOME, latest), unknown=frozenset({HOME}))
    assert [(at, attempt.anew) for at, attempt in made][:2] == [(0.1, False), (pytest.approx(0.3), True)]


def test_a_server_that_never_answers_is_waited_for_a_little_longer_each_time() -> None:
    made = attempts(WayBack([HOME], HOME, latest), takes_s=lambda attempt: attempt.within_s)
    assert [attempt.within_s for _, attempt in made] == pytest.approx(
        [min(2.0 * tries, 10.0) for tries in range(1, len(made) + 1)]
    )


def test_but_not_while_another_may_answer() -> None:
    made = attempts(WayBack([HOME, NEXT], HOME, latest), takes_s=lambda attempt: attempt.within_s)
    assert hosts(made)[:5] == [HOME, NEXT, HOME, NEXT, HOME]
    assert [attempt.within_s for _, attempt in made[:5]] == pytest.approx([2.0] * 5)
    assert max(attempt.within_s for _, attempt in made) > 2.5, "a slow line gets through in the end"


def test_where_it_has_gone_on_is_home() -> None:
    way = WayBack([HOME, NEXT], HOME, latest)
    way.lost(0.0, -100.0)
    now = 0.0
    while (attempt := way.next(now)) and attempt.address == HOME:
        now += attempt.wait_s
    way.arrived(anew=False)
    assert hosts(attempts(way))[0] == NEXT


def test_of_a_conversation_that_began_anew_nobody_has_said_anything_yet() -> None:
    way = WayBack([HOME], HOME, latest)
    way.lost(0.0, -100.0)
    way.next(0.0)
    way.unknown(0.1)
    again = way.next(0.1)
    assert again
    assert again.anew
    way.arrived(anew=True)
    assert not attempts(way)[0][1].anew


def test_a_line_that_did_not_hold_is_the_same_trouble() -> None:
    way = WayBack([HOME], HOME, latest)
    numbers = []
    for now, line_since in ((10.0, 0.0), (11.0, 10.5), (14.0, 12.0)):
        way.lost(now, line_since)
        attempt = way.next(now)
        assert attempt
        way.arrived(anew=False)
        numbers.append((attempt.number, round(attempt.wait_s, 3)))
    assert numbers == [(1, 0.1), (2, 0.2), (1, 0.1)]


def test_who_refuses_is_asked_again_only_when_a_line_has_held() -> None:
    way = WayBack([HOME, NEXT, LAST], HOME, latest)

    def until(address: Address, now: float) -> float:
        while attempt := way.next(now):
            now += attempt.wait_s
            if attempt.address == address:
                return now
            if attempt.address == NEXT:
                way.refused(REFUSED)
        raise AssertionError("it is never asked")

    way.lost(0.0, -100.0)
    now = until(LAST, 0.0)
    assert way.refusal == REFUSED
    way.arrived(anew=False)
    way.lost(now + 1, now)
    until(HOME, now + 1)
    assert NEXT not in hosts(attempts_after(way, now + 2))
    way.arrived(anew=False)
    way.lost(100.0, 50.0)
    assert way.refusal is None
    assert until(NEXT, 100.0) == 102.0


@given(st.integers(), st.integers(1, 4), st.integers(0, 3), st.floats(0, 12))
def test_whatever_fails_it_ends_in_time_and_nobody_is_asked_all_the_time(
    seed: int, servers: int, unknown: int, takes_s: float
) -> None:
    addresses = [Address.of(f"http://{number}", "a", resume=True) for number in range(servers)]
    way = WayBack(addresses, addresses[0], Random(seed).uniform)
    made = attempts(way, lambda attempt: min(takes_s, attempt.within_s), frozenset(addresses[1 : unknown + 1]))
    assert [attempt.number for _, attempt in made] == list(range(1, len(made) + 1))
    assert all(at <= GIVES_UP_AFTER_S for at, _ in made)
    assert set(hosts(made)) == set(addresses)
    assert len(made) < 100 * servers
