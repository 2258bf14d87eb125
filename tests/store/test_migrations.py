import asyncio
from contextlib import aclosing
from importlib.resources import files

import asyncpg
import pytest

from serve_app.store.database import Database
from serve_app.store.filters import Filters
from serve_app.store.listing import ConversationList
from serve_app.store.migrations import migrate
from tests.store.stored import read


def test_of_processes_starting_at_once_one_migrates_and_the_others_wait(database_url: str) -> None:
    async def scenario() -> None:
        connections = [await asyncpg.connect(database_url) for _ in range(4)]
        try:
            applied = await asyncio.gather(*map(migrate, connections))
            *waited, worked = sorted(applied, key=len)
            assert waited == [[], [], []]
            assert worked[0] == "0001_conversations.sql"
            assert await migrate(connections[0]) == []
            history = await connections[0].fetch("SELECT version, name FROM schema_migrations ORDER BY version")
            assert [tuple(row) for row in history] == list(enumerate(worked, start=1))
            assert await connections[0].fetchval("SELECT count(*) FROM conversations") == 0
        finally:
            for connection in connections:
                await connection.close()

    asyncio.run(scenario())


def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        try:
            await connection.execute("CREATE TABLE turns ()")
            with pytest.raises(asyncpg.DuplicateTableError):
                await migrate(connection)
            assert await connection.fetchval("SELECT to_regclass('conversations')") is None
            await connection.execute("DROP TABLE turns")
            assert (await migrate(connection))[0] == "0001_conversations.sql"
        finally:
            await connection.close()

    asyncio.run(scenario())


def test_what_was_stored_before_a_step_is_shown_like_the_rest(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        for step in FIRST_STEPS:
            await connection.execute((SCHEMA / step).read_text())
        await connection.execute(STORED_THEN)
        await connection.execute(HISTORY, FIRST_STEPS)
        await connection.close()

    asyncio.run(scenario())
    call = asyncio.run(read(database_url, "c"))
    assert (call["user_message_count"], call["agent_message_count"]) == (1, 1)
    assert call["metadata"]["main_language"] == "en"
    assert call["metadata"]["text_only"] is True
    assert [tool["tool_name"] for tool in call["transcript"][1]["tool_calls"]] == ["shop"]
    assert asyncio.run(found(database_url, "order")) == ["c"]


SCHEMA = files("serve_app.store") / "schema"
FIRST_STEPS = ["0001_conversations.sql", "0002_epochs.sql"]
STORED_THEN = """
INSERT INTO conversations (id, agent_id, status, started_at, ended_at, language, metadata)
VALUES ('c', 'default', 'done', now(), now(), 'pt', '{"text_only": true}');
INSERT INTO turns (conversation_id, sequence, at, role, message, language, time_in_call_secs, metrics) VALUES
    ('c', 1, now(), 'user', 'Where is my order?', 'en', 1.0, '{}'),
    ('c', 3, now(), 'agent', 'On its way.', NULL, 2.0, '{}');
INSERT INTO events (conversation_id, sequence, at, kind, data) VALUES
    ('c', 2, now(), 'tool_call', '{"turn": 1, "tool_call_id": "a", "tool_name": "shop", "time_in_call_secs": 1.0}'),
    ('c', 3, now(), 'agent_turn', '{"turn": 1, "text": "On its way."}');
CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text, applied_at timestamptz DEFAULT now());
"""
HISTORY = (
    "INSERT INTO schema_migrations (version, name) SELECT row_number() OVER (), name FROM unnest($1::text[]) AS name"
)


async def found(url: str, words: str) -> list[str]:
    async with aclosing(Database(url)) as database:
        page = await ConversationList(database, {}).page(Filters(search=words))
    return [each["conversation_id"] for each in page["conversations"]]
