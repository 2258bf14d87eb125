import asyncio
from contextlib import aclosing

import pytest

from serve_app.errors import StoreError
from serve_app.store.database import Database, RefusedError


def test_an_absent_server_is_a_store_error_and_not_before_it_is_needed(absent_url: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(absent_url)) as database:
            with pytest.raises(StoreError, match="PostgreSQL is away"):
                async with database.connection():
                    pass

    asyncio.run(scenario())


@pytest.mark.parametrize("data", ["secret", "\0 secret", "\ud800 secret"])
def test_refused_data_are_told_from_an_outage_and_not_quoted(database_url: str, data: str) -> None:
    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            with pytest.raises(RefusedError) as refusal:
                async with database.connection() as connection:
                    await connection.fetchval("SELECT $1::text::integer", data)
            assert "secret" not in str(refusal.value)
            async with database.connection() as connection:
                assert await connection.fetchval("SELECT count(*) FROM turns") == 0

    asyncio.run(scenario())


def test_it_works_where_every_transaction_may_meet_another_session(database_url: str) -> None:
    """What a transaction pooler does to us: prepared statements of an earlier transaction are gone."""

    async def scenario() -> None:
        async with aclosing(Database(database_url)) as database:
            for _ in range(2):
                async with database.connection() as connection:
                    assert await connection.fetchval("SELECT $1::integer", 7) == 7
                    assert (
                        await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == 0
                    )

    asyncio.run(scenario())
