import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from serve_app.ports import LogEvent
from serve_app.store.database import Database
from serve_app.store.log import PostgresLog
from serve_app.store.reader import ConversationReader
from tests.store.samples import STARTED_UNIX, agent_turn, event, interrupted_call, started, user_turn

AWAY = {"code": 1002, "error_type": "llm_error", "message": "the language model is away"}
FAILED = {"reason": "the language model is away", "close_code": 1002, "duration_secs": 2.0, "status": "failed"}
DONE = {"reason": "client disconnected", "close_code": 1000, "duration_secs": 2.0, "status": "done"}


def test_a_finished_call_is_read_back(database_url: str) -> None:
    call = asyncio.run(read_after(database_url, interrupted_call("c"), "c"))
    assert call is not None
    assert (call["conversation_id"], call["agent_id"], call["status"], call["user_id"]) == (
        "c",
        "default",
        "done",
        "u-1",
    )
    assert (call["user_message_count"], call["agent_message_count"]) == (1, 1)
    assert call["metadata"] == {
        "start_time_unix_secs": int(STARTED_UNIX),
        "call_duration_secs": 7,
        "termination_reason": "user hung up",
        "error": None,
        "main_language": "pt",
        "authorization_method": "signed_url",
    }
    assert call["transcript"][1] == {
        "role": "agent",
        "message": "Abrimos às nove",
        "original_message": "Abrimos às nove e fechamos às seis.",
        "interrupted": True,
        "source_medium": None,
        "time_in_call_secs": 3,
        "conversation_turn_metrics": {
            "metrics": {
                "convai_llm_service_ttfb": {"elapsed_time": 0.2},
                "convai_tts_service_ttfb": {"elapsed_time": 0.1},
            }
        },
    }


def test_turns_come_in_the_order_they_were_spoken(database_url: str) -> None:
    turns = [agent_turn("c", 1, "Olá!"), user_turn("c", 2, "Oi."), agent_turn("c", 3, "Tudo bem?")]
    call = asyncio.run(read_after(database_url, [started("c"), *turns], "c"))
    assert call is not None
    assert [(turn["role"], turn["message"]) for turn in call["transcript"]] == [
        ("agent", "Olá!"),
        ("user", "Oi."),
        ("agent", "Tudo bem?"),
    ]
    assert call["status"] == "in-progress"
    assert call["metadata"]["call_duration_secs"] > 0


def test_a_failed_call_says_why(database_url: str) -> None:
    end = event("c", 2, "ended", **FAILED, error=AWAY)
    call = asyncio.run(read_after(database_url, [started("c"), event("c", 1, "error", **AWAY), end], "c"))
    assert call is not None
    assert (call["status"], call["metadata"]["termination_reason"]) == ("failed", "the language model is away")
    assert call["metadata"]["error"] == {"code": 1002, "reason": "the language model is away"}


@pytest.mark.parametrize("end", [DONE, {**DONE, "error": None}])
def test_a_call_that_got_over_an_error_did_not_fail_of_it(database_url: str, end: dict[str, Any]) -> None:
    events = [started("c"), event("c", 1, "error", **AWAY), event("c", 2, "ended", **end)]
    call = asyncio.run(read_after(database_url, events, "c"))
    assert call is not None
    assert (call["status"], call["metadata"]["error"]) == ("done", None)


def test_an_unknown_or_impossible_id_is_nobodys(database_url: str) -> None:
    assert asyncio.run(read_after(database_url, [], "conv_unknown")) is None
    assert asyncio.run(read_after(database_url, [], "\0")) is None


async def read_after(url: str, events: list[LogEvent], conversation_id: str) -> dict[str, Any] | None:
    async with aclosing(Database(url)) as database:
        async with aclosing(PostgresLog(database)) as log:
            log.start()
            for each in events:
                log.append(each)
        return await ConversationReader(database).read(conversation_id)
