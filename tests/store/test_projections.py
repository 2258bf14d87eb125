import asyncio
import json
from contextlib import aclosing
from typing import Any

import asyncpg

from serve_app.ports import LogEvent
from serve_app.store.database import Database
from serve_app.store.projections import Record, store
from tests.store.samples import agent_turn, event, interrupted_call, started


def test_a_call_becomes_a_conversation_its_turns_and_its_events(database_url: str) -> None:
    conversations, turns, events = asyncio.run(stored(database_url, [interrupted_call("c")]))

    (conversation,) = conversations
    assert (conversation["agent_id"], conversation["language"], conversation["user_id"]) == ("default", "pt", "u-1")
    assert (conversation["status"], conversation["termination_reason"]) == ("done", "user hung up")
    assert (conversation["close_code"], conversation["duration_secs"]) == (1000, 7.4)
    assert conversation["ended_at"] > conversation["started_at"]
    assert json.loads(conversation["metadata"])["output_format"] == "pcm_16000"

    heard, said = turns
    assert (heard["role"], heard["message"], heard["source_medium"]) == ("user", "Quero saber o horário.", "audio")
    assert (heard["confidence"], heard["time_in_call_secs"], heard["interrupted"]) == (0.91, 2.75, False)
    assert (said["role"], said["message"], said["interrupted"]) == ("agent", "Abrimos às nove", True)
    assert said["original_message"] == "Abrimos às nove e fechamos às seis."
    assert json.loads(said["metrics"])["convai_llm_service_ttfb"] == 0.2

    assert [row["sequence"] for row in events] == list(range(8))
    assert json.loads(events[3]["data"]) == {"event_id": 3, "turn": 2, "start": 3, "end": 4}


def test_a_batch_stored_twice_is_stored_once(database_url: str) -> None:
    batch = interrupted_call("c")

    async def scenario() -> None:
        once = await stored(database_url, [batch])
        assert await stored(database_url, [batch, batch[2:4]]) == once

    asyncio.run(scenario())


def test_a_correction_in_a_later_batch_finds_its_turn_and_no_other(database_url: str) -> None:
    correction = event("b", 2, "correction", event_id=1, original="Pois não?", corrected="Pois")
    batches = [
        [started("a"), agent_turn("a", 1, "Pois não?"), started("b"), agent_turn("b", 1, "Pois não?")],
        [correction],
    ]
    _, turns, _ = asyncio.run(stored(database_url, batches))
    assert [(turn["conversation_id"], turn["message"]) for turn in turns] == [("a", "Pois não?"), ("b", "Pois")]


def test_an_unknown_kind_is_kept_as_an_event(database_url: str) -> None:
    conversations, turns, events = asyncio.run(stored(database_url, [[event("c", 0, "tool_call", name="weather")]]))
    assert (conversations, turns) == ([], [])
    assert (events[0]["kind"], json.loads(events[0]["data"])) == ("tool_call", {"name": "weather"})


async def stored(url: str, batches: list[list[LogEvent]]) -> tuple[list[Any], list[Any], list[Any]]:
    """All conversations, turns and events after these batches."""
    async with aclosing(Database(url)) as database, database.connection() as connection:
        for batch in batches:
            await store(connection, [record(each) for each in batch])
        return (
            await connection.fetch("SELECT * FROM conversations ORDER BY id"),
            await rows_of(connection, "turns"),
            await rows_of(connection, "events"),
        )


async def rows_of(connection: asyncpg.Connection, table: str) -> list[Any]:
    return list(await connection.fetch(f"SELECT * FROM {table} ORDER BY conversation_id, sequence"))


def record(of: LogEvent) -> Record:
    return Record(of.conversation_id, of.sequence, of.at_unix, of.kind, json.dumps(of.data))
