"""Log events -> rows. Storing the same events again changes nothing."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg


class Record(NamedTuple):
    """A log event as the database takes it: `data` is JSON."""

    conversation_id: str
    sequence: int
    at_unix: float
    kind: str
    data: str


_EVENTS = """
INSERT INTO events (conversation_id, sequence, at, kind, data)
SELECT conversation_id, sequence, to_timestamp(at_unix), kind, data
FROM unnest($1::text[], $2::integer[], $3::double precision[], $4::text[], $5::jsonb[])
    AS batch (conversation_id, sequence, at_unix, kind, data)
ON CONFLICT DO NOTHING
"""

_EVENT = """
WITH event AS (
    SELECT $1::text AS conversation_id, $2::integer AS sequence, to_timestamp($3::double precision) AS at,
        $4::text AS kind, $5::jsonb AS data
)
"""

_STARTED = """
INSERT INTO conversations (id, agent_id, started_at, language, user_id, source, metadata)
SELECT conversation_id, data->>'agent_id', at, data->>'language', data->>'user_id', data->>'source',
    data - ARRAY['agent_id', 'language', 'user_id', 'source']
FROM event
ON CONFLICT DO NOTHING
"""

_TURN = """
INSERT INTO turns (
    conversation_id, sequence, at, role, message, language, confidence, source_medium, time_in_call_secs, event_id,
    metrics
)
SELECT conversation_id, sequence, at, CASE kind WHEN 'user_turn' THEN 'user' ELSE 'agent' END, data->>'text',
    data->>'language', (data->>'confidence')::double precision, data->>'medium',
    (data->>'time_in_call_secs')::double precision, (data->>'event_id')::integer, coalesce(data->'metrics', '{}')
FROM event
ON CONFLICT DO NOTHING
"""

_CORRECTION = """
UPDATE turns SET message = data->>'corrected', original_message = data->>'original', interrupted = true
FROM event
WHERE turns.conversation_id = event.conversation_id AND role = 'agent' AND event_id = (data->>'event_id')::integer
"""

_ENDED = """
UPDATE conversations SET ended_at = at, status = data->>'status', termination_reason = data->>'reason',
    close_code = (data->>'close_code')::integer, duration_secs = (data->>'duration_secs')::double precision,
    error = nullif(data->'error', 'null')
FROM event
WHERE id = conversation_id
"""

# Applied kind by kind in this order, so that what changes a row follows what makes it. Other kinds are events
# only: an `error` may be one that the conversation got over, and what it died of stands in its `ended`.
_PROJECTIONS = {
    "started": _EVENT + _STARTED,
    "user_turn": _EVENT + _TURN,
    "agent_turn": _EVENT + _TURN,
    "correction": _EVENT + _CORRECTION,
    "ended": _EVENT + _ENDED,
}


async def store(connection: asyncpg.Connection, records: Sequence[Record]) -> None:
    """Store a batch in one transaction."""
    async with connection.transaction():
        await connection.execute(_EVENTS, *map(list, zip(*records, strict=True)))
        for kind, statement in _PROJECTIONS.items():
            if rows := [record for record in records if record.kind == kind]:
                await connection.executemany(statement, rows)
