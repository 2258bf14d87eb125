"""Calls in which the client is silent: no audio, no pongs, or late ones."""

import pytest

from serve_app.conversation.client_messages import ContextualUpdate, Pong
from serve_app.conversation.heartbeat import DEAD_S, DOUBT_PING_EVERY_S, FIRST_PING_S
from serve_app.conversation.patience import TRANSPORT_S
from serve_app.conversation.server_messages import Ping
from serve_app.errors import Gone, Silent
from tests.conversation.score import Call


def test_a_client_that_sends_nothing_is_gone() -> None:
    call = Call()
    call.silence(10)
    call.sends_nothing(TRANSPORT_S - 0.1)
    assert not call.ended, "pongs alone are no sign of a user, and yet not of none"
    call.sends_nothing(0.2)
    assert isinstance(call.ended, Silent)
    assert (call.ended.close_code, call.ended.error_type) == (1002, "transport_receive_timeout")


def test_any_message_of_the_users_is_a_sign_of_life_but_pongs_are_not() -> None:
    call = Call()
    for _ in range(3):
        call.sends_nothing(TRANSPORT_S - 1)
        call.sends(ContextualUpdate("still here"))
    assert not call.ended
    assert call.messages(Ping)
    call.sends_nothing(TRANSPORT_S - 1)
    call.sends(Pong(call.messages(Ping)[-1].event_id))
    call.sends_nothing(2)
    assert isinstance(call.ended, Silent)


def test_a_client_that_answers_no_ping_is_gone() -> None:
    call = Call(pong_s=None)
    call.silence(FIRST_PING_S + DEAD_S - 0.1)
    assert not call.ended
    call.sends_nothing(0.2)
    assert type(call.ended) is Gone
    assert call.ended.close_code == 1002


def test_in_doubt_it_is_pinged_every_two_seconds() -> None:
    call = Call(pong_s=None)
    call.silence(FIRST_PING_S + DEAD_S - 0.1)
    assert call.times(Ping) == pytest.approx([FIRST_PING_S + n * DOUBT_PING_EVERY_S for n in range(10)])


def test_a_slow_line_is_pinged_every_two_seconds() -> None:
    call = Call(pong_s=0.5)
    call.silence(40)
    apart = [later - earlier for earlier, later in zip(call.times(Ping), call.times(Ping)[1:], strict=False)]
    assert max(apart[-8:]) <= DOUBT_PING_EVERY_S + 0.5
    assert call.messages(Ping)[-1].ping_ms == 500
    assert not call.ended
