"""A breaker opens after failures in a row, probes alone, and never forgets a provider that has healed."""

from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.breaker import OPENS_AT, PROBE_AFTER_S, Breaker, State

CLOSED, HALF_OPEN, OPEN = State.CLOSED, State.HALF_OPEN, State.OPEN


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker("p")
    for _ in range(OPENS_AT):
        assert breaker.admits(now)
        breaker.failed(now)
    return breaker


def test_two_failures_in_a_row_may_be_chance() -> None:
    breaker = Breaker("p")
    for _ in range(10):
        for _ in range(OPENS_AT - 1):
            breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.state is CLOSED
    assert breaker.admits(0.0)


def test_the_third_opens_it() -> None:
    breaker = opened()
    assert breaker.state is OPEN
    assert not breaker.admits(PROBE_AFTER_S - 0.01)
    assert breaker.state is OPEN


def test_then_one_may_ask() -> None:
    breaker = opened()
    assert breaker.admits(PROBE_AFTER_S)
    assert breaker.state is HALF_OPEN
    assert not breaker.admits(PROBE_AFTER_S)


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = opened()
    breaker.admits(PROBE_AFTER_S)
    breaker.succeeded()
    assert breaker.state is CLOSED
    breaker.failed(PROBE_AFTER_S)  # the count begins anew
    assert breaker.admits(PROBE_AFTER_S)


def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    breaker = opened()
    breaker.admits(PROBE_AFTER_S)
    breaker.failed(PROBE_AFTER_S + 1)
    assert breaker.state is OPEN
    assert not breaker.admits(2 * PROBE_AFTER_S + 0.9)
    assert breaker.admits(2 * PROBE_AFTER_S + 1)


def test_a_probe_that_was_not_needed_any_more_is_followed_by_another() -> None:
    breaker = opened()
    breaker.admits(PROBE_AFTER_S)
    breaker.abandoned()
    assert breaker.admits(PROBE_AFTER_S)
    assert not breaker.admits(PROBE_AFTER_S)


def test_so_is_one_that_nothing_was_heard_of() -> None:
    breaker = opened()
    assert breaker.admits(PROBE_AFTER_S)
    assert not breaker.admits(2 * PROBE_AFTER_S - 0.01)
    assert breaker.admits(2 * PROBE_AFTER_S)


def test_what_is_abandoned_says_nothing() -> None:
    breaker = Breaker("p")
    for _ in range(OPENS_AT - 1):
        breaker.failed(0.0)
    breaker.abandoned()
    assert breaker.state is CLOSED
    breaker.failed(0.0)
    assert breaker.state is OPEN
    breaker.abandoned()
    assert not breaker.admits(PROBE_AFTER_S - 0.01)


def test_an_answer_to_an_old_request_closes_it_too() -> None:
    breaker = opened()
    breaker.succeeded()
    assert breaker.state is CLOSED


def test_every_new_state_is_told_once() -> None:
    told: list[tuple[str, State]] = []
    breaker = Breaker("acme", lambda name, state: told.append((name, state)))
    for _ in range(OPENS_AT + 2):
        breaker.failed(0.0)
    breaker.admits(PROBE_AFTER_S)
    breaker.succeeded()
    breaker.succeeded()
    assert told == [("acme", CLOSED), ("acme", OPEN), ("acme", HALF_OPEN), ("acme", CLOSED)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["admits", "succeeded", "failed", "abandoned"]), st.floats(0, 2 * PROBE_AFTER_S)),
    max_size=60,
)


def play(breaker: Breaker, steps: list[tuple[str, float]]) -> float:
    """Each step after so many seconds; the time at the end."""
    now = 0.0
    for step, pause in steps:
        now += pause
        match step:
            case "admits":
                breaker.admits(now)
            case "failed":
                breaker.failed(now)
            case _:
                getattr(breaker, step)()
    return now


@given(STEPS)
def test_whatever_has_happened_a_provider_is_tried_again_soon(steps: list[tuple[str, float]]) -> None:
    breaker = Breaker("p")
    now = play(breaker, steps)
    assert breaker.admits(now) or breaker.admits(now + PROBE_AFTER_S)
    breaker.succeeded()
    assert breaker.state is CLOSED


@given(STEPS)
def test_whatever_has_happened_failures_in_a_row_open_it(steps: list[tuple[str, float]]) -> None:
    breaker = Breaker("p")
    now = play(breaker, steps)
    for _ in range(OPENS_AT):
        breaker.failed(now)
    assert breaker.state is OPEN
    assert [breaker.admits(now) for _ in range(3)].count(True) <= 1  # a probe, if it has been open for long


@given(STEPS, st.integers(2, 50))
def test_while_it_is_down_few_wait_for_it(steps: list[tuple[str, float]], callers: int) -> None:
    breaker = Breaker("p")
    now = play(breaker, steps)
    for _ in range(OPENS_AT):
        breaker.failed(now)
    asked = 0
    for _ in range(callers):  # over ten seconds, each told of the failure at once
        now += 10 / callers
        if breaker.admits(now):
            asked += 1
            breaker.failed(now)
    assert asked <= 1 + 10 / PROBE_AFTER_S
