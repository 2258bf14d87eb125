import asyncio

import asyncpg

from serve_app.store.migrations import migrate
from tests.soak.multiply import multiply

ROWS = """
INSERT INTO conversations (id, agent_id, started_at, metadata) VALUES ('conv_a', 'x', now(), '{"text_only": true}');
INSERT INTO turns (conversation_id, sequence, at, role, message, time_in_call_secs, metrics)
    VALUES ('conv_a', 1, now(), 'user', 'olá', 0.5, '{}'), ('conv_a', 2, now(), 'agent', 'oi', 0.6, '{}');
INSERT INTO events (conversation_id, sequence, at, kind, data) VALUES ('conv_a', 0, now(), 'started', '{}');
"""


def test_every_conversation_has_all_of_its_rows_again_a_day_older(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        await migrate(connection)
        await connection.execute(ROWS)
        await multiply(connection, 3)
        days = await connection.fetch("SELECT now()::date - started_at::date AS days FROM conversations ORDER BY days")
        turns = await connection.fetch(
            "SELECT count(*) FROM turns JOIN conversations ON id = conversation_id GROUP BY id"
        )
        assert [row["days"] for row in days] == [0, 1, 2]
        assert [row["count"] for row in turns] == [2, 2, 2]
        assert await connection.fetchval("SELECT count(*) FROM events") == 3
        assert await connection.fetchval("SELECT count(*) FROM turns WHERE message = 'olá'") == 3
        await connection.close()

    asyncio.run(scenario())
