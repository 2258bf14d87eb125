"""Fixtures: one embedded PostgreSQL for a session, an empty schema in it for each test."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from serve_app.store import embedded
from serve_app.store.embedded import EmbeddedPostgres

__all__ = ["absent_url", "database_url", "postgres", "server_folder"]


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """Not pytest's own folder: as root, the server's user must be let through to it."""
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        server = embedded.start(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> str:
    """A place without tables: a schema costs nothing, a database some hundred files to sync when the server stops."""
    schema = f"test_{uuid4().hex}"
    asyncio.run(_create_schema(postgres.url, schema))
    return f"{postgres.url}&search_path={schema}"


@pytest.fixture
def absent_url(tmp_path: Path) -> str:
    """Where no server is."""
    return f"postgresql://postgres@/postgres?host={tmp_path}"


async def _create_schema(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE SCHEMA {name}")
    await connection.close()
