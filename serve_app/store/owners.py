"""Which replicas are alive, as PostgreSQL has it: the conversations of one that is lost with its node are over."""

import asyncio
import logging
import time

import asyncpg

from serve_app.errors import StoreError
from serve_app.store.database import Database

HEARTBEAT_SECONDS = 10.0
LOOK_SECONDS = 30.0
LOST_AFTER_SECONDS = 120.0

logger = logging.getLogger(__name__)

_SEEN = """
INSERT INTO replicas (name, seen_at) VALUES ($1, now())
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at
"""

# Should its node come back after all, what its journal holds is stored, and how the conversation really ended.
_END_LOST = """
UPDATE conversations
SET status = 'failed', termination_reason = 'lost with its node', close_code = 1011, ended_at = now(),
    error = '{"code": 1011, "error_type": "unknown", "message": "lost with its node"}'
FROM epochs
LEFT JOIN replicas ON replicas.name = epochs.owner
WHERE conversations.id = epochs.conversation_id AND conversations.status = 'in-progress'
    AND coalesce(replicas.seen_at, '-infinity') < now() - make_interval(secs => $1)
"""

_FORGET = "DELETE FROM replicas WHERE seen_at < now() - interval '1 day'"


async def stay_known(database: Database, name: str) -> None:
    """Be seen, and look for those who are not. While PostgreSQL was away nobody was: they get their time first."""
    well_since = looked_at = time.monotonic()
    while True:
        try:
            async with database.connection() as connection:
                await heartbeat(connection, name)
                now = time.monotonic()
                if now - well_since >= LOST_AFTER_SECONDS and now - looked_at >= LOOK_SECONDS:
                    looked_at = now
                    await _look(connection)
        except StoreError:
            well_since = time.monotonic()
        await asyncio.sleep(HEARTBEAT_SECONDS)


async def heartbeat(connection: asyncpg.Connection, name: str) -> None:
    await connection.execute(_SEEN, name)


async def end_lost(connection: asyncpg.Connection) -> int:
    """End the conversations whose owner has not been seen for LOST_AFTER_SECONDS, and return how many they were."""
    done = await connection.execute(_END_LOST, LOST_AFTER_SECONDS)  # "UPDATE 3"
    await connection.execute(_FORGET)
    return int(done.split()[-1])


async def _look(connection: asyncpg.Connection) -> None:
    if ended := await end_lost(connection):
        logger.error("conversation log: %d conversations were lost with their node", ended)
