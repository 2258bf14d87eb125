"""Conversations that are to be forgotten: every row, and the recording."""

from collections.abc import Awaitable, Callable
from typing import Literal

import asyncpg

from serve_app.store import epochs
from serve_app.store.database import Database, RefusedError
from serve_app.store.epochs import Claim

_LAST_EPOCH = 2**31 - 1  # of an integer
_NOBODY = ""

_MARK = "UPDATE epochs SET deleted_at = now() WHERE conversation_id = $1"
_DELETE = (
    "DELETE FROM events WHERE conversation_id = $1",
    "DELETE FROM turns WHERE conversation_id = $1",
    "DELETE FROM conversations WHERE id = $1",
)


class Deletion:
    """`delete_recording` deletes by a conversation's id, also what is not there."""

    def __init__(self, database: Database, delete_recording: Callable[[str], Awaitable[None]]) -> None:
        self._database = database
        self._delete_recording = delete_recording

    async def delete(self, conversation_id: str) -> Literal["deleted", "in progress", "unknown"]:
        """Delete a conversation that is over. Raises StoreError, of the recording too: then it may be tried again."""
        status = await self._status(conversation_id)
        if status is None:
            return "unknown"
        if status == "in-progress":
            return "in progress"
        await self._delete_recording(conversation_id)
        async with self._database.connection() as connection:
            await _forget(connection, conversation_id)
        return "deleted"

    async def _status(self, conversation_id: str) -> str | None:
        statement = "SELECT status FROM conversations WHERE id = $1"
        try:
            async with self._database.connection() as connection:
                status: str | None = await connection.fetchval(statement, conversation_id)
        except RefusedError:  # an id that PostgreSQL cannot hold is nobody's
            return None
        return status


async def _forget(connection: asyncpg.Connection, conversation_id: str) -> None:
    """A batch that is being stored is waited for; the conversation's later ones are refused."""
    async with connection.transaction():
        await epochs.take_over(connection, Claim(conversation_id, _LAST_EPOCH, _NOBODY))
        for statement in (_MARK, *_DELETE):
            await connection.execute(statement, conversation_id)
