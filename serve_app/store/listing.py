"""Pages of stored conversations, as ElevenLabs lists them."""

import math
from collections.abc import Mapping
from typing import Any

import asyncpg

from serve_app.errors import ClientError
from serve_app.store.database import Database, RefusedError
from serve_app.store.filters import Cursor, Filters

_PAGE = """
SELECT id, agent_id, started_at, status, language, source, termination_reason, rating, user_messages, agent_messages,
    coalesce(duration_secs, extract(epoch FROM coalesce(ended_at, now()) - started_at))::double precision AS duration,
    ARRAY(
        SELECT DISTINCT data->>'tool_name' FROM events WHERE conversation_id = id AND kind = 'tool_call' ORDER BY 1
    ) AS tool_names
FROM conversations
WHERE {conditions}
ORDER BY started_at {direction}, id {direction}
LIMIT {limit}
"""

_CALLED = """id IN (
    SELECT conversation_id FROM events
    WHERE kind = 'tool_result' AND data->>'tool_name' = ANY({value}::text[]) AND data->'is_error' IN ({errors})
        AND data->'is_called' IN ({reached})
)"""

# Of each filter that is given; `value` is its parameter. A duration that is not known yet is that so far.
_CONDITIONS = {
    "agent_id": "agent_id = {value}",
    "visited_agent_ids": """(agent_id = ANY({value}::text[]) OR id IN (
        SELECT conversation_id FROM events WHERE kind = 'transfer' AND data->>'agent_id' = ANY({value}::text[])
    ))""",
    "user_id": "user_id = {value}",
    "call_start_before_unix": "started_at <= to_timestamp({value}::double precision)",
    "call_start_after_unix": "started_at >= to_timestamp({value}::double precision)",
    "call_duration_min_secs": """(duration_secs >= {value}::double precision
        OR duration_secs IS NULL AND coalesce(ended_at, now()) - started_at >= make_interval(secs => {value}))""",
    "call_duration_max_secs": """(duration_secs <= {value}::double precision
        OR duration_secs IS NULL AND coalesce(ended_at, now()) - started_at <= make_interval(secs => {value}))""",
    "call_successful": "{value}::text = 'unknown'",
    "exclude_statuses": "status <> ALL({value}::text[])",
    "termination_reasons": "termination_reason = ANY({value}::text[])",
    "rating_min": "rating >= {value}",
    "rating_max": "rating <= {value}",
    "has_feedback_comment": "(comment IS NOT NULL) = {value}",
    "tool_names": _CALLED.replace("{errors}", "'true', 'false'"),
    "tool_names_successful": _CALLED.replace("{errors}", "'false'"),
    "tool_names_errored": _CALLED.replace("{errors}", "'true'"),
    "main_languages": "language = ANY({value}::text[])",
    "search": "words @@ websearch_to_tsquery('simple', {value})",
    "conversation_initiation_source": "coalesce(source, 'unknown') = {value}",
    "conversation_product_type": "{value}::text = 'agents'",
    "text_only": "text_only = {value}",
}

# Of a dynamic variable: `name` and `value` are parameters.
_TEXT = "(metadata->'initiation'->'dynamic_variables'->>{name}::text)"
_IS_NUMBER = "jsonb_typeof(metadata->'initiation'->'dynamic_variables'->{name}::text) = 'number'"
_NUMBER = f"CASE WHEN {_IS_NUMBER} THEN {_TEXT}::double precision END"
_TEXT_TESTS = {
    "eq": f"{_TEXT} = {{value}}::text",
    "neq": f"{_TEXT} IS DISTINCT FROM {{value}}::text",
    "in": f"{_TEXT} = ANY(string_to_array({{value}}::text, '|'))",
}
_NUMBER_TESTS = {
    "gt": f"{_NUMBER} > {{value}}",
    "gte": f"{_NUMBER} >= {{value}}",
    "lt": f"{_NUMBER} < {{value}}",
    "lte": f"{_NUMBER} <= {{value}}",
}
_ABSENCE_TESTS = {"eq": f"{_TEXT} IS NULL", "neq": f"{_TEXT} IS NOT NULL"}


class ConversationList:
    """Lists what the log has stored; a live conversation is about 100 ms behind. `agent_names`: by id."""

    def __init__(self, database: Database, agent_names: Mapping[str, str]) -> None:
        self._database = database
        self._agent_names = agent_names

    async def page(self, filters: Filters) -> dict[str, Any]:
        """One page in ElevenLabs' shape. Raises StoreError, and ClientError for a filter that says nothing."""
        query = _Query(filters)
        try:
            async with self._database.connection() as connection:
                rows = await connection.fetch(query.sql, *query.values)
        except RefusedError:  # what PostgreSQL cannot hold fits nothing
            rows = []
        page, has_more = rows[: filters.page_size], len(rows) > filters.page_size
        return {
            "conversations": [self._summary(row) for row in page],
            "next_cursor": Cursor(page[-1]["started_at"], page[-1]["id"]).encoded() if has_more else None,
            "has_more": has_more,
        }

    def _summary(self, row: asyncpg.Record) -> dict[str, Any]:
        return {
            "agent_id": row["agent_id"],
            "agent_name": self._agent_names.get(row["agent_id"]),
            "conversation_id": row["id"],
            "start_time_unix_secs": int(row["started_at"].timestamp()),
            "call_duration_secs": max(0, round(row["duration"])),
            "message_count": row["user_messages"] + row["agent_messages"],
            "user_message_count": row["user_messages"],
            "agent_message_count": row["agent_messages"],
            "status": row["status"],
            "termination_reason": row["termination_reason"],
            "call_successful": "unknown",
            "transcript_summary": None,
            "main_language": row["language"],
            "conversation_initiation_source": row["source"],
            "tool_names": row["tool_names"],
            "rating": row["rating"],
        }


class _Query:
    """The statement for a page, and one row more, and the values of its parameters."""

    def __init__(self, filters: Filters) -> None:
        self.values: list[Any] = []
        self._reached = "'true', 'false'" if filters.include_invalid_tool_calls else "'true'"
        variables = [*filters.dynamic_variable_params, *filter(None, [filters.dynamic_variable_filter])]
        conditions = [
            *(self._filter(name, getattr(filters, name)) for name in _CONDITIONS),
            *(self._variable(each) for each in variables),
            self._after(filters),
        ]
        self.sql = _PAGE.format(
            conditions=" AND ".join(filter(None, conditions)) or "true",
            direction=filters.sort_direction.upper(),
            limit=filters.page_size + 1,
        )

    def _filter(self, name: str, value: Any) -> str:
        if value in (None, ()):
            return ""
        return _CONDITIONS[name].format(value=self._parameter(value), reached=self._reached)

    def _variable(self, condition: str) -> str:
        """Raises ClientError."""
        name, _, test = condition.partition(":")
        operation, _, value = test.partition(":")
        if operation in _NUMBER_TESTS:
            return self._test(_NUMBER_TESTS[operation], name, _number(value))
        if operation in _ABSENCE_TESTS and not value:
            return _ABSENCE_TESTS[operation].format(name=self._parameter(name))
        if operation in _TEXT_TESTS:
            return self._test(_TEXT_TESTS[operation], name, value)
        raise ClientError(f"{condition[:50]!r}: write name:op:value, with eq, neq, gt, gte, lt, lte or in as op")

    def _test(self, test: str, name: str, value: str | float) -> str:
        return test.format(name=self._parameter(name), value=self._parameter(value))

    def _after(self, filters: Filters) -> str:
        """Where the page before ended."""
        if not filters.cursor:
            return ""
        started_at, conversation_id = map(self._parameter, Cursor.decoded(filters.cursor))
        beyond = "<" if filters.sort_direction == "desc" else ">"
        return f"(started_at, id) {beyond} ({started_at}::timestamptz, {conversation_id}::text)"

    def _parameter(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError as e:
        raise ClientError(f"{text[:50]!r} is no number") from e
    if not math.isfinite(number):
        raise ClientError(f"{text[:50]!r} is no number")
    return number
