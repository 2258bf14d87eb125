"""Conversations are kept as long as their agent's file says, and deleted then as if somebody had asked for it."""

import asyncio
import logging
from collections.abc import Mapping

from serve_app.errors import StoreError
from serve_app.store.database import Database
from serve_app.store.deletion import Deletion

SWEEP_SECONDS = 600.0
BATCH = 50
_LOCK = 0x4B656570  # "Keep"; advisory locks are numbers shared by everyone in the database

# The journal of a node that was away for longer than this may bring a deleted conversation back.
_FORGET_DELETIONS = "DELETE FROM epochs WHERE deleted_at < now() - interval '30 days'"

_EXPIRED = f"""
SELECT id
FROM unnest($1::text[], $2::integer[]) AS kept (agent_id, days)
JOIN conversations USING (agent_id)
WHERE ended_at < now() - make_interval(days => days) AND status <> 'in-progress'
LIMIT {BATCH}
"""  # noqa: S608 - no data in it

logger = logging.getLogger(__name__)


class Retention:
    """`days`: how long the conversations of an agent are kept, by its id. Those of others are kept for ever."""

    def __init__(self, database: Database, deletion: Deletion, days: Mapping[str, int]) -> None:
        self._database = database
        self._deletion = deletion
        self._days = days

    async def run(self) -> None:
        """Sweep for ever; any number of processes may."""
        while True:
            try:
                if deleted := await self.sweep():
                    logger.info("%d conversations were deleted: their agents keep them no longer", deleted)
            except StoreError as e:
                logger.warning("conversations that are too old wait to be deleted: %s", e)
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> int:
        """Delete what is too old, unless another process does, and return how many. Raises StoreError."""
        deleted = 0
        while batch := await self._batch():
            deleted += batch
        return deleted

    async def _batch(self) -> int:
        async with self._database.connection() as connection, connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return 0
            await connection.execute(_FORGET_DELETIONS)
            expired = await connection.fetch(_EXPIRED, list(self._days), list(self._days.values()))
            for row in expired:
                await self._deletion.delete(row["id"])
        return len(expired)
