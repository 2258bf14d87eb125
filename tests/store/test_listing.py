import asyncio
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.errors import ClientError
from serve_app.ports import LogEvent
from serve_app.store.database import Database
from serve_app.store.filters import Filters
from serve_app.store.listing import ConversationList
from serve_app.store.opinions import Opinion, Opinions
from tests.store import stored
from tests.store.calls import eventful_call
from tests.store.samples import STARTED_UNIX, event, started, user_turn

NEW_YEAR = 1_800_000_000

CALLS: dict[str, list[LogEvent]] = {
    "eventful": eventful_call("eventful"),
    "failed": [
        LogEvent("failed", 0, NEW_YEAR, "started", started("failed").data | {"agent_id": "sales", "user_id": "u-2"}),
        event("failed", 1, "user_turn", **user_turn("failed", 1, "Where is my order?").data | {"language": "en"}),
        event("failed", 2, "ended", reason="lost", close_code=1011, duration_secs=90.0, status="failed"),
    ],
    "typed": [
        LogEvent("typed", 0, NEW_YEAR + 100, "started", started("typed").data | {"text_only": True, "source": "js_sdk"})
    ],
}

FILTERED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"eventful", "failed", "typed"}),
    ({"summary_mode": "include"}, {"eventful", "failed", "typed"}),
    ({"agent_id": "default"}, {"eventful", "typed"}),
    ({"visited_agent_ids": ["sales"]}, {"eventful", "failed"}),
    ({"user_id": "u-2"}, {"failed"}),
    ({"user_id": "\0"}, set()),
    ({"call_start_before_unix": NEW_YEAR}, {"eventful", "failed"}),
    ({"call_start_after_unix": NEW_YEAR}, {"failed", "typed"}),
    ({"call_duration_min_secs": 90}, {"failed"}),
    ({"call_duration_max_secs": 27}, {"typed"}),  # it begins in years: it has not lasted at all
    ({"call_duration_min_secs": 20, "call_duration_max_secs": 90}, {"eventful", "failed"}),
    ({"call_successful": "unknown"}, {"eventful", "failed", "typed"}),
    ({"call_successful": "success"}, set()),
    ({"exclude_statuses": ["in-progress", "failed"]}, {"eventful"}),
    ({"termination_reasons": ["lost", "other"]}, {"failed"}),
    ({"rating_min": 4}, {"eventful"}),
    ({"rating_max": 3}, set()),
    ({"has_feedback_comment": True}, {"eventful"}),
    ({"has_feedback_comment": False}, {"failed", "typed"}),
    ({"tool_names": ["find_order", "other"]}, {"eventful"}),
    ({"tool_names": ["shop"]}, set()),
    ({"tool_names": ["shop"], "include_invalid_tool_calls": True}, {"eventful"}),
    ({"tool_names_successful": ["find_order"]}, {"eventful"}),
    ({"tool_names_successful": ["shop"], "include_invalid_tool_calls": True}, set()),
    ({"tool_names_errored": ["shop"], "include_invalid_tool_calls": True}, {"eventful"}),
    ({"tool_names_errored": ["find_order"]}, set()),
    ({"main_languages": ["en"]}, {"failed"}),
    ({"search": "pedido"}, {"eventful"}),
    ({"search": "order where"}, {"failed"}),
    ({"search": '"order where"'}, set()),
    ({"search": "PEDIDO -meu"}, set()),
    ({"conversation_initiation_source": "js_sdk"}, {"typed"}),
    ({"conversation_product_type": "agents", "agent_id": "sales"}, {"failed"}),
    ({"conversation_product_type": "speech_engine"}, set()),
    ({"text_only": True}, {"typed"}),
    ({"dynamic_variable_params": ["plan:eq:gold"]}, {"eventful"}),
    ({"dynamic_variable_params": ["plan:neq:gold"]}, {"failed", "typed"}),
    ({"dynamic_variable_params": ["plan:in:silver|gold"]}, {"eventful"}),
    ({"dynamic_variable_params": ["plan:eq:"]}, {"failed", "typed"}),
    ({"dynamic_variable_params": ["plan:neq:"], "dynamic_variable_filter": "age:gt:40"}, {"eventful"}),
    ({"dynamic_variable_params": ["age:gte:41", "age:lte:41"]}, {"eventful"}),
    ({"dynamic_variable_params": ["plan:gt:1"]}, set()),
    ({"dynamic_variable_filter": "age:lt:41"}, set()),
]


def test_each_filter_finds_what_fits(database_url: str) -> None:
    async def scenario() -> list[tuple[dict[str, Any], set[str]]]:
        async with aclosing(Database(database_url)) as database:
            for call in CALLS.values():
                await stored.store(database, call)
            await Opinions(database).give("eventful", Opinion(rating=4, comment="Boa!"))
            return [(wanted, {*await ids(database, wanted)}) for wanted, _ in FILTERED]

    assert asyncio.run(scenario()) == FILTERED


def test_no_filter_is_without_its_case() -> None:
    tried = {name for wanted, _ in FILTERED for name in wanted}
    assert {*Filters.__struct_fields__} - tried == {"cursor", "page_size", "sort_direction"}


def test_a_listing_tells_the_outlines(database_url: str) -> None:
    asyncio.run(stored.store_calls(database_url, CALLS["eventful"]))
    [summary] = asyncio.run(page(database_url, Filters()))["conversations"]
    assert summary == {
        "agent_id": "default",
        "agent_name": "Ana",
        "conversation_id": "eventful",
        "start_time_unix_secs": int(STARTED_UNIX),
        "call_duration_secs": 28,
        "message_count": 7,
        "user_message_count": 4,
        "agent_message_count": 3,
        "status": "done",
        "termination_reason": "client disconnected",
        "call_successful": "unknown",
        "transcript_summary": None,
        "main_language": "pt",
        "conversation_initiation_source": "python_sdk",
        "tool_names": ["find_order", "shop", "transfer_to_agent"],
        "rating": None,
    }


@pytest.mark.parametrize(
    "wanted",
    [
        {"cursor": "?"},
        {"cursor": "bm90aGluZw=="},
        {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk6eA=="},
        {"dynamic_variable_params": ["plan"]},
        {"dynamic_variable_params": ["plan:like:g"]},
        {"dynamic_variable_filter": "age:gt:old"},
        {"dynamic_variable_filter": "age:gt:nan"},
    ],
)
def test_what_says_nothing_is_an_error(absent_url: str, wanted: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        asyncio.run(page(absent_url, msgspec.convert(wanted, Filters)))


STARTS = st.lists(st.integers(0, 5), min_size=1, max_size=25)
"""Seconds: many begin at once."""


def test_pages_hold_every_conversation_once_whatever_is_stored_meanwhile(database_url: str) -> None:
    """New calls begin later than all that are there."""

    async def walk(starts: list[int], page_size: int, direction: str, later: list[int]) -> None:
        async with aclosing(Database(database_url)) as database:
            async with database.connection() as connection:
                await connection.execute("TRUNCATE conversations, turns, events")
            await stored.store(database, [begun(f"c{n}", second) for n, second in enumerate(starts)])
            expected = sorted(f"c{n}" for n in range(len(starts)))
            seen: list[str] = []
            cursor, times = None, []
            for number in range(len(starts) + 2):
                wanted = {"page_size": page_size, "sort_direction": direction, "cursor": cursor}
                found = await ConversationList(database, {}).page(msgspec.convert(wanted, Filters))
                assert len(found["conversations"]) == page_size or not found["has_more"]
                seen += [each["conversation_id"] for each in found["conversations"]]
                times += [each["start_time_unix_secs"] for each in found["conversations"]]
                cursor = found["next_cursor"]
                if number < len(later):
                    await stored.store(database, [begun(f"later{number}", 10 + later[number])])
                if not found["has_more"]:
                    break
            assert cursor is None
            assert sorted(each for each in seen if not each.startswith("later")) == expected
            assert times == sorted(times, reverse=direction == "desc")
            assert len(set(seen)) == len(seen)

    @settings(max_examples=20, deadline=None)
    @given(STARTS, st.integers(1, 7), st.sampled_from(["asc", "desc"]), st.lists(st.integers(0, 3), max_size=3))
    def property_holds(starts: list[int], page_size: int, direction: str, later: list[int]) -> None:
        asyncio.run(walk(starts, page_size, direction, later))

    property_holds()


def begun(conversation_id: str, second: int) -> LogEvent:
    return LogEvent(conversation_id, 0, STARTED_UNIX + second, "started", started(conversation_id).data)


async def ids(database: Database, wanted: dict[str, Any]) -> list[str]:
    found = await ConversationList(database, {}).page(msgspec.convert(wanted, Filters))
    return [each["conversation_id"] for each in found["conversations"]]


async def page(url: str, filters: Filters) -> dict[str, Any]:
    async with aclosing(Database(url)) as database:
        return await ConversationList(database, {"default": "Ana"}).page(filters)
