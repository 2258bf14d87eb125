"""Stored conversations, read back as ElevenLabs' conversation object."""

from typing import Any

import asyncpg
import msgspec

from serve_app.conversation.turn_metrics import wire
from serve_app.store.database import Database, RefusedError

_CONVERSATION = """
SELECT id, agent_id, status, user_id, language, termination_reason, error,
    metadata->>'authorization_method' AS authorization_method,
    extract(epoch FROM started_at)::double precision AS started_unix,
    coalesce(duration_secs, extract(epoch FROM coalesce(ended_at, now()) - started_at))::double precision AS duration
FROM conversations
WHERE id = $1
"""

_TURNS = """
SELECT role, message, original_message, interrupted, source_medium, time_in_call_secs, metrics
FROM turns
WHERE conversation_id = $1
ORDER BY sequence
"""


class ConversationReader:
    """Reads what the log has stored; a live conversation is about 100 ms behind."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, conversation_id: str) -> dict[str, Any] | None:
        """The conversation in ElevenLabs' shape, times in whole seconds, or None. Raises StoreError."""
        try:
            async with self._database.connection() as connection:
                conversation = await connection.fetchrow(_CONVERSATION, conversation_id)
                turns = await connection.fetch(_TURNS, conversation_id)
        except RefusedError:  # an id that PostgreSQL cannot hold is nobody's
            return None
        return _conversation(conversation, [_turn(turn) for turn in turns]) if conversation else None


def _conversation(row: asyncpg.Record, transcript: list[dict[str, Any]]) -> dict[str, Any]:
    roles = [turn["role"] for turn in transcript]
    return {
        "agent_id": row["agent_id"],
        "conversation_id": row["id"],
        "status": row["status"],
        "user_id": row["user_id"],
        "transcript": transcript,
        "metadata": _metadata(row),
        "has_audio": False,
        "has_user_audio": False,
        "has_response_audio": False,
        "has_auxiliary_audio": False,
        "user_message_count": roles.count("user"),
        "agent_message_count": roles.count("agent"),
        "analysis": None,
        "conversation_initiation_client_data": {},
    }


def _metadata(row: asyncpg.Record) -> dict[str, Any]:
    error = msgspec.json.decode(row["error"]) if row["error"] else None
    return {
        "start_time_unix_secs": int(row["started_unix"]),
        "call_duration_secs": max(0, round(row["duration"])),
        "termination_reason": row["termination_reason"],
        "error": error and {"code": error["code"], "reason": error["message"]},
        "main_language": row["language"],
        "authorization_method": row["authorization_method"],
    }


def _turn(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "role": row["role"],
        "message": row["message"],
        "original_message": row["original_message"],
        "interrupted": row["interrupted"],
        "source_medium": row["source_medium"],
        "time_in_call_secs": int(row["time_in_call_secs"]),
        "conversation_turn_metrics": wire(msgspec.json.decode(row["metrics"])),
    }
