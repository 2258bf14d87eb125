"""DATABASE_URL with TLS, as hosted databases want it."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from serve_app.errors import StoreError
from serve_app.store.database import Database
from tests.store.tls_front import tls_front

VERIFIED = "verify-full&sslrootcert={}/cert.pem"


@pytest.mark.parametrize("mode", ["require", "prefer", VERIFIED])
def test_a_database_behind_tls_is_reached(database_url: str, tmp_path: Path, mode: str) -> None:
    assert asyncio.run(tables(database_url, tmp_path, mode.format(tmp_path))) > 3


@pytest.mark.parametrize("mode", ["disable", "verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt"])
def test_what_cannot_be_trusted_is_away(database_url: str, tmp_path: Path, mode: str) -> None:
    with pytest.raises(StoreError, match="away"):
        asyncio.run(tables(database_url, tmp_path, mode))


async def tables(url: str, folder: Path, mode: str) -> int:
    """How many there are, asked for over TLS."""
    place = {key: values[0] for key, values in parse_qs(urlparse(url).query).items()}
    socket = Path(place["host"]) / f".s.PGSQL.{place['port']}"
    async with tls_front(socket, folder) as port:
        tls_url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode={mode}&search_path={place['search_path']}"
        async with aclosing(Database(tls_url)) as database, database.connection() as connection:
            query = "SELECT count(*) FROM pg_tables WHERE schemaname = $1"
            return int(await connection.fetchval(query, place["search_path"]))
