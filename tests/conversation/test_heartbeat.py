from serve_app.conversation.heartbeat import (
    DEAD_S,
    DOUBT_PING_EVERY_S,
    FIRST_PING_S,
    PING_EVERY_S,
    SLOW_MS,
    UNEVEN_MS,
    Heartbeat,
)


def after(*round_trips_ms: int) -> Heartbeat:
    """One that pinged every 15 s, and was answered like that."""
    heartbeat = Heartbeat()
    for number, ms in enumerate(round_trips_ms):
        heartbeat.ping(number, number * 15.0)
        heartbeat.pong(number, number * 15.0 + ms / 1000)
    return heartbeat


def test_the_first_ping_is_due_after_a_second() -> None:
    heartbeat = Heartbeat()
    heartbeat.start(100.0)
    assert heartbeat.due == 100.0 + FIRST_PING_S
    assert heartbeat.dead_at == float("inf")


def test_while_no_ping_was_ever_answered_the_line_is_in_doubt() -> None:
    heartbeat = Heartbeat()
    heartbeat.ping(1, 1.0)
    assert heartbeat.due == 1.0 + DOUBT_PING_EVERY_S
    heartbeat.pong(1, 1.9)
    assert heartbeat.due == 1.0 + PING_EVERY_S


def test_how_often_is_configurable() -> None:
    heartbeat = Heartbeat(every_s=4.0)
    heartbeat.ping(1, 1.0)
    heartbeat.pong(1, 1.1)
    assert heartbeat.due == 5.0


def test_the_first_round_trip_is_discarded() -> None:
    assert after(900).ping_ms is None
    assert after(900, 42).ping_ms == 42


def test_pongs_nobody_asked_for_say_nothing() -> None:
    heartbeat = Heartbeat()
    heartbeat.pong(7, 1.0)
    heartbeat.ping(8, 2.0)
    heartbeat.pong(7, 2.1)
    heartbeat.pong(8, 2.2)
    heartbeat.pong(8, 3.0)
    assert heartbeat.ping_ms is None


def test_a_good_line_is_pinged_seldom() -> None:
    assert not after(900, 40, 60, 50).in_doubt
    assert after(900, 40, 60, 50).due == 3 * 15 + PING_EVERY_S


def test_a_slow_line_is_in_doubt() -> None:
    heartbeat = after(10, SLOW_MS + 1)
    assert heartbeat.in_doubt
    assert heartbeat.due == 15 + (SLOW_MS + 1) / 1000 + DOUBT_PING_EVERY_S


def test_an_uneven_line_is_in_doubt_until_it_is_even_again() -> None:
    assert after(10, 50, 50 + UNEVEN_MS + 1).in_doubt
    assert not after(10, 50, 50 + UNEVEN_MS + 1, 50 + UNEVEN_MS).in_doubt


def test_a_line_that_answers_no_more_is_pinged_often_and_then_dead() -> None:
    heartbeat = after(10, 50)
    now = heartbeat.due
    assert now == 30.0
    while heartbeat.due < 30.0 + DEAD_S:
        now = heartbeat.due
        heartbeat.ping(round(now * 1000), now)
    assert heartbeat.dead_at == 30.0 + DEAD_S
    assert now > 30.0 + DEAD_S - PING_EVERY_S
    heartbeat.pong(round(now * 1000), now + 0.05)
    assert heartbeat.dead_at == float("inf"), "an answer to a later ping settles the earlier ones"
