"""A session whose client does more than it may: what it, and others on the same quota, are told."""

import asyncio
import json

import pytest

from serve_app.conversation.quota import Quota, Rates
from tests.caller import INITIATION, Call, a_turn, play

TYPED = json.dumps({"type": "user_message", "text": "um café"})


def refused(call: Call, what: str) -> None:
    """It was told, closed with 1008, and the record says why."""
    [error] = call.wire.events("error")
    assert (error["code"], error["error_type"]) == (1008, "value_error")
    assert call.wire.closed == (1008, error["message"])
    assert [(event.kind, event.data.get("what")) for event in call.log.entries[-2:]] == [
        ("rate_limited", what),
        ("ended", None),
    ]


@pytest.mark.parametrize(
    ("rates", "what"),
    [(Rates(messages=3), "conversation_messages"), (Rates(bytes=2 * len(TYPED)), "conversation_bytes")],
)
def test_messages_beyond_the_rate_end_the_call(rates: Rates, what: str) -> None:
    async def score(call: Call) -> None:
        call.session._quotas = [Quota("conversation", rates, 0.0)]
        await call.sends(INITIATION)
        for _ in range(4):
            await call.sends(TYPED)
            await asyncio.sleep(0.1)

    refused(play(score, hangs_up=False), what)


def test_typed_turns_beyond_the_rate_end_it_and_slower_ones_do_not() -> None:
    async def types(call: Call) -> None:
        await call.sends(TYPED)
        await asyncio.sleep(0.05)

    async def score(call: Call) -> None:
        call.session._quotas = [Quota("conversation", Rates(turns=15), 0.0)]
        await call.sends(INITIATION)
        for _ in range(15):
            await types(call)
        await asyncio.sleep(4)
        await types(call)
        assert call.wire.closed is None
        await types(call)

    call = play(score, hangs_up=False)
    refused(call, "conversation_turns")
    assert call.kinds().count("user_turn") == 17


def test_spoken_turns_count_as_well() -> None:
    async def score(call: Call) -> None:
        call.session._quotas = [Quota("conversation", Rates(turns=1), 0.0)]
        await a_turn(call)
        await call.speaks()
        await call.is_silent(3)

    refused(play(score, hangs_up=False), "conversation_turns")


def test_what_one_conversation_has_used_another_of_the_tenants_does_not_have() -> None:
    shared = Quota("tenant", Rates(messages=4), 0.0)

    async def talk(call: Call) -> None:
        call.session._quotas = [shared]
        await call.sends(INITIATION)
        await call.sends(TYPED)
        await asyncio.sleep(1)

    assert play(talk).wire.closed is None
    assert play(talk).wire.closed is None
    closed = play(talk, hangs_up=False).wire.closed
    assert closed == (1008, "too many messages: 4 a minute may come in all your conversations")
