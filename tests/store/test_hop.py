import asyncio

import httpx

from serve_app.hops import hops_of
from serve_app.settings import Settings
from serve_app.store.database import Database


def test_the_way_to_the_database_is_measured_in_ms(database_url: str) -> None:
    async def perform() -> float:
        database = Database(database_url)
        try:
            settings = Settings.from_environment({"DATABASE_URL": database_url})
            (hop,) = hops_of(settings, httpx.AsyncClient(), database)
            return await hop.measure()
        finally:
            await database.aclose()

    assert 0 < asyncio.run(perform()) < 50
