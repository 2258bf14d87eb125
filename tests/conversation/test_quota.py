"""How much may come in a minute, and who is charged for it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.allowance import TooMuch
from serve_app.conversation.quota import MOST_IDLE, TOO_OFTEN, Quota, Quotas, Rates, TenantRates
from serve_app.errors import Unavailable

LONGEST_REASON = 120  # bytes that a close frame takes of one


def refusal(quota: Quota, size: int = 1, now: float = 0.0) -> TooMuch:
    with pytest.raises(TooMuch) as refused:
        quota.message(size, now)
    assert refused.value.close_code == 1008
    assert len(refused.value.message.encode()) <= LONGEST_REASON
    return refused.value


def test_without_rates_anything_may_come() -> None:
    quota = Quota("conversation", Rates(), 0.0)
    for _ in range(10_000):
        quota.message(1 << 20, 0.0)
        quota.turn(0.0)
        quota.begin(0.0)


def test_a_minutes_messages_may_come_at_once_and_the_next_when_its_time_has_come() -> None:
    quota = Quota("conversation", Rates(messages=30), 0.0)
    for _ in range(30):
        quota.message(1, 0.0)
    assert refusal(quota).message == "too many messages: 30 a minute may come"
    assert refusal(quota, now=1.9).what == "conversation_messages"
    quota.message(1, 2.0)
    refusal(quota, now=2.0)


def test_bytes_are_counted_however_few_messages_they_come_in() -> None:
    quota = Quota("tenant", Rates(bytes=1000), 0.0)
    quota.message(999, 0.0)
    refused = refusal(quota, 2)
    assert refused.what == "tenant_bytes"
    assert refused.message == "too many bytes: 1000 a minute may come in all your conversations"
    quota.message(1, 0.0)


def test_turns_have_a_rate_of_their_own() -> None:
    quota = Quota("conversation", Rates(turns=2), 0.0)
    quota.message(1, 0.0)
    quota.turn(0.0)
    quota.turn(0.0)
    with pytest.raises(TooMuch, match="too many turns: 2 a minute") as refused:
        quota.turn(29.9)
    assert refused.value.what == "conversation_turns"
    quota.turn(30.1)


def test_who_begins_too_often_is_to_come_later() -> None:
    quota = Quota("tenant", TenantRates(conversations=2), 0.0)
    quota.begin(0.0)
    quota.begin(0.0)
    with pytest.raises(Unavailable) as refused:
        quota.begin(0.0)
    assert (refused.value.close_code, refused.value.message) == (1013, TOO_OFTEN)
    quota.begin(30.0)


def test_each_tenant_has_its_own_and_keeps_it() -> None:
    quotas = Quotas(TenantRates(messages=1))
    quotas.of("greedy", 0.0).message(1, 0.0)
    refusal(quotas.of("greedy", 0.0))
    quotas.of("modest", 0.0).message(1, 0.0)


def test_who_has_used_nothing_for_a_minute_is_forgotten_and_nobody_else() -> None:
    quotas = Quotas(TenantRates(messages=60))
    for number in range(MOST_IDLE + 1):
        quotas.of(str(number), 0.0).message(1, 0.0)
    busy = quotas.of("busy", 0.5)
    for _ in range(60):
        busy.message(1, 0.5)
    quotas.of("new", 1.0)
    assert quotas._of.keys() == {"busy", "new"}
    refusal(quotas.of("busy", 1.0), now=0.5)


@given(
    st.integers(1, 600),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 3)), max_size=60),
)
def test_in_no_minute_more_passes_than_twice_the_rate(a_minute: int, messages: list[tuple[float, int]]) -> None:
    """What was saved up, and what came due meanwhile."""
    quota, now, passed = Quota("tenant", Rates(messages=a_minute), 0.0), 0.0, []
    for later, count in messages:
        now += later
        for _ in range(count):
            try:
                quota.message(1, now)
            except TooMuch:
                continue
            passed.append(now)
    for start in passed:
        assert sum(start <= at < start + 60.0 for at in passed) <= 2 * a_minute
    assert sum(at < 1e-9 for at in passed) <= a_minute


@pytest.mark.parametrize("bad", [{"turns": 0}, {"turns": 1.5}, {"calls": 1}, {"bytes": "many"}])
def test_rates_are_whole_numbers_under_their_names(bad: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, TenantRates)
    assert msgspec.convert({"turns": None, "conversations": 3}, TenantRates) == TenantRates(conversations=3)
