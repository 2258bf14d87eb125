"""Stored conversations, read back as ElevenLabs' conversation object, and in our compact form."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from serve_app.store.compact import compact
from serve_app.store.database import Database, RefusedError
from serve_app.store.transcript import Row, transcript

_CONVERSATION = """
SELECT id, agent_id, status, user_id, source, language, termination_reason, error, text_only, started_at,
    user_messages, agent_messages, overall_score, rating, comment,
    metadata->>'authorization_method' AS authorization_method, metadata->>'version' AS version,
    coalesce(metadata->'initiation', '{}') AS initiation, coalesce(metadata->'record' = 'true', false) AS recorded,
    extract(epoch FROM started_at)::double precision AS started_unix,
    coalesce(duration_secs, extract(epoch FROM coalesce(ended_at, now()) - started_at))::double precision AS duration
FROM conversations
WHERE id = $1
"""

_TURNS = """
SELECT sequence, at, role, message, original_message, interrupted, ignored_as_backchannel, confidence, source_medium,
    time_in_call_secs, event_id, reply, metrics
FROM turns
WHERE conversation_id = $1
ORDER BY sequence
"""

_CALLS = "SELECT * FROM tool_calls WHERE conversation_id = $1 ORDER BY sequence"
_FEEDBACK = "SELECT event_id, at, score FROM feedback WHERE conversation_id = $1 ORDER BY event_id"

_NOTES = """
SELECT sequence, kind, data
FROM events
WHERE conversation_id = $1
    AND kind IN ('error', 'failure', 'fallback', 'guardrail', 'interruption', 'none_response', 'resumed', 'transfer')
ORDER BY sequence
"""


class ConversationReader:
    """Reads what the log has stored; a live conversation is about 100 ms behind. `agent_names`: by id. `has_audio`
    says whether there is a recording; it is asked for calls that were to be recorded."""

    def __init__(
        self, database: Database, agent_names: Mapping[str, str], has_audio: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._database = database
        self._agent_names = agent_names
        self._has_audio = has_audio

    async def read(self, conversation_id: str) -> dict[str, Any] | None:
        """The conversation in ElevenLabs' shape, times in whole seconds, or None. Raises StoreError."""
        rows = await self._rows(conversation_id, _CONVERSATION, _TURNS, _NOTES, _CALLS, _FEEDBACK)
        if rows is None:
            return None
        [conversation], turns, notes, calls, feedback = rows
        transfers = [{"sequence": note["sequence"], **data} for note, data in _of_kind(notes, "transfer")]
        visited = dict.fromkeys([conversation["agent_id"], *(transfer["agent_id"] for transfer in transfers)])
        guardrails = [{"sequence": note["sequence"], **data} for note, data in _of_kind(notes, "guardrail")]
        has_audio = conversation["recorded"] and await self._has_audio(conversation_id)
        return {
            "agent_id": conversation["agent_id"],
            "agent_name": self._agent_names.get(conversation["agent_id"]),
            "conversation_id": conversation["id"],
            "status": conversation["status"],
            "user_id": conversation["user_id"],
            "transcript": transcript(conversation, turns, calls, feedback, transfers, guardrails),
            "metadata": _metadata(conversation, notes, feedback),
            "has_audio": has_audio,
            "has_user_audio": has_audio,
            "has_response_audio": has_audio,
            "has_auxiliary_audio": False,
            "user_message_count": conversation["user_messages"],
            "agent_message_count": conversation["agent_messages"],
            "visited_agents": [{"agent_id": agent_id} for agent_id in visited],
            "analysis": None,
            "conversation_initiation_client_data": _initiation(conversation),
        }

    async def metrics(self, conversation_id: str) -> dict[str, Any] | None:
        """The conversation in our compact form, or None. Raises StoreError."""
        rows = await self._rows(conversation_id, _CONVERSATION, _TURNS, _NOTES)
        return compact(rows[0][0], rows[1], rows[2]) if rows else None

    async def _rows(self, conversation_id: str, conversation: str, *others: str) -> list[list[asyncpg.Record]] | None:
        """What each of the statements finds; None if there is no such conversation."""
        try:
            async with self._database.connection() as connection:
                found = [await connection.fetch(conversation, conversation_id)]
                if not found[0]:
                    return None
                return found + [await connection.fetch(statement, conversation_id) for statement in others]
        except RefusedError:  # an id that PostgreSQL cannot hold is nobody's
            return None


def _of_kind(notes: Sequence[Row], *kinds: str) -> list[tuple[Row, dict[str, Any]]]:
    return [(note, msgspec.json.decode(note["data"])) for note in notes if note["kind"] in kinds]


def _metadata(conversation: Row, notes: Sequence[Row], feedback: Sequence[Row]) -> dict[str, Any]:
    error = msgspec.json.decode(conversation["error"]) if conversation["error"] else None
    warnings = _of_kind(notes, "error", "failure", "fallback", "none_response", "resumed")
    return {
        "start_time_unix_secs": int(conversation["started_unix"]),
        "accepted_time_unix_secs": int(conversation["started_unix"]),
        "call_duration_secs": max(0, round(conversation["duration"])),
        "termination_reason": conversation["termination_reason"],
        "error": error and {"code": error["code"], "reason": error["message"]},
        "warnings": [_warning(note["kind"], data) for note, data in warnings],
        "feedback": _feedback(conversation, feedback),
        "main_language": conversation["language"],
        "text_only": conversation["text_only"],
        "authorization_method": conversation["authorization_method"],
        "conversation_initiation_source": conversation["source"],
        "conversation_initiation_source_version": conversation["version"],
    }


def _warning(kind: str, data: Mapping[str, Any]) -> str:
    match kind:
        case "error":
            return f"{data['error_type']}: {data['message']}"
        case "failure":
            return f"{data['error_type']}: no provider was left to answer with"
        case "fallback":
            return f"{data['stage']}: {data['instead']} in place of {data['failed']}: {data['why']}"
        case "none_response":
            return "a turn ended without a word"
        case _:
            return f"the client was away for {data['away_secs']:.1f} s"


def _feedback(conversation: Row, given: Sequence[Row]) -> dict[str, Any]:
    scores = [each["score"] for each in given]
    overall, rating = conversation["overall_score"], conversation["rating"]
    thumbs = "thumbs" if overall or any(scores) else None
    return {
        "type": thumbs if rating is None else "rating",
        "overall_score": overall,
        "likes": scores.count("like"),
        "dislikes": scores.count("dislike"),
        "rating": rating,
        "comment": conversation["comment"],
    }


def _initiation(conversation: Row) -> dict[str, Any]:
    source = {"source": conversation["source"], "version": conversation["version"]}
    given = msgspec.json.decode(conversation["initiation"])
    return {**given, "user_id": conversation["user_id"], "source_info": source}
