import asyncio
import json
from contextlib import aclosing
from typing import Any

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.ports import LogEvent
from serve_app.store.database import Database
from serve_app.store.embedded import EmbeddedPostgres
from serve_app.store.projections import project
from tests.store.calls import eventful_call
from tests.store.samples import agent_turn, event, interrupted_call, started, user_turn
from tests.store.stored import record, store

WRITER_RESTARTS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=6)
"""Before each: how far it goes back; how many events it takes at once."""


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


def test_a_correction_in_a_later_batch_finds_its_turn_and_no_other(database_url: str) -> None:
    correction = event("b", 2, "correction", event_id=1, original="Pois não?", corrected="Pois")
    batches = [
        [started("a"), agent_turn("a", 1, "Pois não?"), started("b"), agent_turn("b", 1, "Pois não?")],
        [correction],
    ]
    _, turns, _ = asyncio.run(stored(database_url, batches))
    assert [(turn["conversation_id"], turn["message"]) for turn in turns] == [("a", "Pois não?"), ("b", "Pois")]


def test_an_unknown_kind_is_kept_as_an_event(database_url: str) -> None:
    conversations, turns, events = asyncio.run(stored(database_url, [[event("c", 0, "weather", degrees=30)]]))
    assert (conversations, turns) == ([], [])
    assert (events[0]["kind"], json.loads(events[0]["data"])) == ("weather", {"degrees": 30})


def test_what_the_caller_murmurs_is_a_turn_and_what_the_agent_does_is_none(database_url: str) -> None:
    murmurs = [event("c", n, "backchannel", role=role, text="uhum", time_in_call_secs=3.0) for n, role in MURMURERS]
    conversations, turns, _ = asyncio.run(stored(database_url, [[started("c"), *murmurs]]))
    assert [(turn["role"], turn["message"], turn["ignored_as_backchannel"]) for turn in turns] == [
        ("user", "uhum", True)
    ]
    assert (conversations[0]["user_messages"], conversations[0]["agent_messages"]) == (1, 0)


MURMURERS = [(1, "agent"), (2, "user")]


def test_turns_with_text_are_counted_and_the_language_is_that_of_most_of_them(database_url: str) -> None:
    english = [event("c", n, "user_turn", **user_turn("c", n, "Hi.").data | {"language": "en"}) for n in (2, 4)]
    unheard = event("c", 6, "correction", event_id=5, original="Olá!", corrected="")
    turns = [user_turn("c", 1, "Oi."), english[0], agent_turn("c", 3, "Oi!"), english[1], agent_turn("c", 5, "Olá!")]
    batches = [[started("c")], turns[:2], turns[2:], [unheard]]
    conversations, _, _ = asyncio.run(stored(database_url, batches))
    assert (conversations[0]["user_messages"], conversations[0]["agent_messages"]) == (3, 1)
    assert conversations[0]["language"] == "en"


def test_however_a_log_is_cut_and_repeated_the_rows_are_the_same(postgres: EmbeddedPostgres, database_url: str) -> None:
    call = eventful_call("c")

    async def projected(connection: asyncpg.Connection, batches: list[list[LogEvent]]) -> list[list[Any]]:
        await connection.execute("TRUNCATE conversations, turns")
        for batch in batches:
            await project(connection, [record(each) for each in batch])
        return await rows(connection)

    async def compare(restarts: list[tuple[int, int]]) -> None:
        async with aclosing(Database(database_url)) as database, database.connection() as connection:
            assert await projected(connection, cut(call, restarts)) == await projected(connection, [call])

    @settings(max_examples=25, deadline=None)
    @given(WRITER_RESTARTS)
    def property_holds(restarts: list[tuple[int, int]]) -> None:
        asyncio.run(compare(restarts))

    property_holds()


def cut(call: list[LogEvent], restarts: list[tuple[int, int]]) -> list[list[LogEvent]]:
    """Batches in order, each writer going back by some events to begin with: all are there in the end."""
    batches, done = [], 0
    for back, size in restarts:
        begin = max(0, done - back)
        batches.append(call[begin : begin + size])
        done = max(done, begin + size)
    return [*batches, call[done:], call[-3:]]


async def stored(url: str, batches: list[list[LogEvent]]) -> tuple[list[Any], list[Any], list[Any]]:
    """All conversations, turns and events after these batches."""
    async with aclosing(Database(url)) as database:
        for batch in batches:
            await store(database, batch)
        async with database.connection() as connection:
            conversations, turns = await rows(connection)
            return (
                conversations,
                turns,
                await connection.fetch("SELECT * FROM events ORDER BY conversation_id, sequence"),
            )


async def rows(connection: asyncpg.Connection) -> list[list[Any]]:
    return [
        await connection.fetch("SELECT * FROM conversations ORDER BY id"),
        await connection.fetch("SELECT * FROM turns ORDER BY conversation_id, sequence"),
    ]
