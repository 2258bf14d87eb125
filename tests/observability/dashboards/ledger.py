"""What the store has of all conversations, counted in SQL, under the names and labels that Prometheus is told."""

from collections.abc import Iterator
from typing import NamedTuple

import asyncpg

from serve_app.conversation.turn_metrics import STAGES, Stage

Labels = tuple[str, ...]

_EVENTS = "FROM events JOIN conversations ON conversations.id = events.conversation_id"
_OF_KIND = {
    "ray_hello_resumptions_total": ("resumed", (), "1"),
    "ray_hello_interruptions_total": ("interruption", (), "1"),
    "ray_hello_none_responses_total": ("none_response", (), "1"),
    "ray_hello_rate_limited_total": ("rate_limited", ("what",), "1"),
    "ray_hello_guardrails_total": ("guardrail", ("stage", "action", "rule"), "1"),
    "ray_hello_line_changes_total": ("line_quality", ("level",), "1"),
    "ray_hello_fallbacks_total": ("fallback", ("stage", "failed", "instead"), "1"),
    "ray_hello_errors_total": ("error", ("error_type",), "1"),
    "ray_hello_failures_total": ("failure", ("action", "error_type"), "1"),
    "ray_hello_kept_requests_total": ("kept", ("stage",), "requests"),
    "ray_hello_discarded_requests_total": ("discarded", ("stage",), "requests"),
    "ray_hello_discarded_tokens_total": ("discarded", ("stage",), "tokens"),
    "ray_hello_discarded_characters_total": ("discarded", ("stage",), "characters"),
}
"""Metric -> kind of event, fields that are labels, and the field that is added up."""
_TURNS = """
SELECT role, agent_id, count(*) FROM turns JOIN conversations ON conversations.id = conversation_id
WHERE NOT ignored_as_backchannel GROUP BY 1, 2
"""


class Account(NamedTuple):
    """`statement` gives a row for each combination of labels: their values, then how often."""

    metric: str
    labels: Labels
    statement: str


def accounts() -> Iterator[Account]:
    yield Account("ray_hello_conversations_begun_total", ("agent",), _conversations("agent_id"))
    ended = _conversations("status, close_code::text, agent_id", "WHERE ended_at IS NOT NULL")
    yield Account("ray_hello_conversations_ended_total", ("status", "close_code", "agent"), ended)
    yield Account("ray_hello_turns_total", ("role", "agent"), _TURNS)
    for metric, (kind, fields, amount) in _OF_KIND.items():
        yield Account(metric, (*fields, "agent"), _of_kind(kind, fields, amount))
    for stage in STAGES:
        took = _took_ms(stage)
        yield Account(f"ray_hello_{stage.name}_ms_count", ("agent",), _measured(stage, "agent_id", f"{took} >= 0"))
        if stage.target_ms is None:
            continue
        levels = {"target": f"{took} > {stage.target_ms} AND {took} <= {stage.critical_ms}"}
        levels["critical"] = f"{took} > {stage.critical_ms}"
        for level, missed in levels.items():
            metric = f'ray_hello_breaches_total{{stage="{stage.name}", level="{level}"}}'
            yield Account(metric, ("agent",), _measured(stage, "agent_id", missed))


async def counts(database_url: str) -> dict[Account, dict[Labels, int]]:
    """Without those that are 0."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = {account: await connection.fetch(account.statement) for account in accounts()}
    finally:
        await connection.close()
    return {account: {tuple(row[:-1]): int(row[-1]) for row in found if row[-1]} for account, found in rows.items()}


def _conversations(columns: str, condition: str = "") -> str:
    by = ", ".join(str(number) for number in range(1, columns.count(",") + 2))
    return f"SELECT {columns}, count(*) FROM conversations {condition} GROUP BY {by}"


def _of_kind(kind: str, fields: Labels, amount: str) -> str:
    columns = [*(f"data->>'{field}'" for field in fields), "agent_id"]
    summed = amount if amount.isdigit() else f"(data->>'{amount}')::integer"
    by = ", ".join(str(number) for number in range(1, len(columns) + 1))
    return f"SELECT {', '.join(columns)}, sum({summed}) {_EVENTS} WHERE kind = '{kind}' GROUP BY {by}"


def _took_ms(stage: Stage) -> str:
    return f"(data->'metrics'->>'{stage.latency}')::double precision * 1000"


def _measured(stage: Stage, column: str, condition: str) -> str:
    return f"SELECT {column}, count(*) {_EVENTS} WHERE data->'metrics' ? '{stage.latency}' AND {condition} GROUP BY 1"
