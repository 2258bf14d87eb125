from serve_app.conversation.heartbeat import FIRST_PING_S, PING_EVERY_S, Heartbeat


def test_pings_are_due_after_a_second_and_then_every_fifteen() -> None:
    heartbeat = Heartbeat()
    heartbeat.start(100.0)
    assert heartbeat.due == 100.0 + FIRST_PING_S
    heartbeat.ping(1, 101.5)
    assert heartbeat.due == 101.5 + PING_EVERY_S


def test_the_first_round_trip_is_discarded() -> None:
    heartbeat = Heartbeat()
    heartbeat.ping(1, 1.0)
    heartbeat.pong(1, 1.9)
    assert heartbeat.ping_ms is None
    heartbeat.ping(2, 16.0)
    heartbeat.pong(2, 16.042)
    assert heartbeat.ping_ms == 42


def test_pongs_nobody_asked_for_say_nothing() -> None:
    heartbeat = Heartbeat()
    heartbeat.pong(7, 1.0)
    heartbeat.ping(8, 2.0)
    heartbeat.pong(7, 2.1)
    heartbeat.pong(8, 2.2)
    heartbeat.pong(8, 3.0)
    assert heartbeat.ping_ms is None
