"""Log events -> rows. Storing the same events again changes nothing, however the batches are cut."""

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
    epoch: int = 0


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
    reply, metrics
)
SELECT conversation_id, sequence, at, CASE kind WHEN 'user_turn' THEN 'user' ELSE 'agent' END, data->>'text',
    data->>'language', (data->>'confidence')::double precision, data->>'medium',
    (data->>'time_in_call_secs')::double precision, (data->>'event_id')::integer, (data->>'turn')::integer,
    coalesce(data->'metrics', '{}')
FROM event
ON CONFLICT DO NOTHING
"""

# The agent's own are sounds, not turns.
_BACKCHANNEL = """
INSERT INTO turns (
    conversation_id, sequence, at, role, message, source_medium, time_in_call_secs, ignored_as_backchannel, metrics
)
SELECT conversation_id, sequence, at, 'user', data->>'text', 'audio', (data->>'time_in_call_secs')::double precision,
    true, '{}'
FROM event
WHERE data->>'role' = 'user'
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
    "backchannel": _EVENT + _BACKCHANNEL,
    "correction": _EVENT + _CORRECTION,
    "ended": _EVENT + _ENDED,
}

# Counted anew each time: a counter would count what comes twice.
_TALLY = """
UPDATE conversations SET language = coalesce(counted.language, conversations.language), user_messages = of_user,
    agent_messages = of_agent
FROM (
    SELECT conversation_id, mode() WITHIN GROUP (ORDER BY language) FILTER (WHERE role = 'user') AS language,
        count(*) FILTER (WHERE role = 'user' AND message <> '') AS of_user,
        count(*) FILTER (WHERE role = 'agent' AND message <> '') AS of_agent
    FROM turns
    WHERE conversation_id = ANY($1)
    GROUP BY conversation_id
) AS counted
WHERE id = counted.conversation_id
"""
_TALLIED = ("started", "user_turn", "agent_turn", "backchannel", "correction")


async def project(connection: asyncpg.Connection, records: Sequence[Record]) -> None:
    """Bring the rows up to date with a batch of events, inside the transaction that stores them."""
    for kind, statement in _PROJECTIONS.items():
        if rows := [record[:5] for record in records if record.kind == kind]:
            await connection.executemany(statement, rows)
    if tallied := {record.conversation_id for record in records if record.kind in _TALLIED}:
        await connection.execute(_TALLY, sorted(tallied))
