"""The schema, in numbered steps: `schema/0001_conversations.sql` ..., each applied once and never edited."""

from importlib.resources import files

import asyncpg

_LOCK = 0x48656C6C6F  # "Hello"; advisory locks are numbers shared by everyone in the database

_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Bring the schema up to date, all or nothing, and return the names of the steps that were applied.

    Any number of processes may do so at once: the first one works, the others wait and find nothing to do.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_HISTORY)
        applied = {row["name"] for row in await connection.fetch("SELECT name FROM schema_migrations")}
        missing = [(name, sql) for name, sql in _steps() if name not in applied]
        for name, sql in missing:
            await connection.execute(sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", int(name.split("_")[0]), name
            )
    return [name for name, _ in missing]


def _steps() -> list[tuple[str, str]]:
    schema = files("serve_app.store") / "schema"
    return sorted((step.name, step.read_text()) for step in schema.iterdir() if step.name.endswith(".sql"))
