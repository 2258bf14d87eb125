"""More conversations in a database: copies of those that are there, each a day older than the one before it."""

import asyncpg

_COLUMNS = """
SELECT table_name, column_name, data_type
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'
ORDER BY table_name, ordinal_position
"""
_ID = {"conversations": "id"}
"""The column that names the conversation, where it is not `conversation_id`."""


async def multiply(connection: asyncpg.Connection, times: int) -> None:
    """Until every table has `times` as many rows of conversations, through whatever columns it has."""
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in await connection.fetch(_COLUMNS):
        tables.setdefault(table, {})[column] = kind
    copied = {name: columns for name, columns in tables.items() if _ID.get(name, "conversation_id") in columns}
    for table in copied:
        await connection.execute(f"CREATE TEMPORARY TABLE first_{table} AS TABLE {table}")
    for days in range(1, times):
        for table, columns in copied.items():
            values = ", ".join(_copied(table, column, kind, days) for column, kind in columns.items())
            names = ", ".join(columns)
            await connection.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM first_{table}")
    for settle in ("VACUUM ANALYZE", "CHECKPOINT"):  # as it would be if they had come over the days
        await connection.execute(settle)


def _copied(table: str, column: str, kind: str, days: int) -> str:
    if column == _ID.get(table, "conversation_id"):
        return f"'conv_' || md5({column} || {days})"
    return f"{column} - interval '{days} days'" if kind == "timestamp with time zone" else column
