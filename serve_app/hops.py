"""How long the way is from here to what answers are made with: a round trip over an open connection, which every
request pays. Nothing is asked that a provider would bill, and no key is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from time import perf_counter
from typing import NamedTuple

import httpx

from serve_app.errors import ProviderError
from serve_app.settings import HopName, Settings
from serve_app.store.database import Database

BUDGETS_MS: Mapping[HopName, float] = {"stt": 50, "llm": 50, "llm_backup": 50, "guard": 50, "tts": 50, "database": 10}
"""A third of what a caller's words may take (150 ms), a sixth of an answer's beginning (300 ms): docs/metrics.md. For
the database, which nobody waits for but who comes back, so much that it is one of the same region."""
ANSWERS_WITHIN_S = 5.0
ROUND_TRIPS = 3
"""The quickest counts: what the others took longer is our own event loop's."""


class Hop(NamedTuple):
    """`measure` gives ms, and raises ProviderError."""

    name: str
    budget_ms: float
    measure: Callable[[], Awaitable[float]]


def hops_of(settings: Settings, client: httpx.AsyncClient, database: Database) -> Iterator[Hop]:
    """To every provider that the environment names, through a proxy where requests go through one. (Not to the models
    and tools that agents bring along.)"""
    budgets = {**BUDGETS_MS, **settings.hop_budgets_ms}
    for name, url in _urls(settings).items():
        yield Hop(name, budgets[name], _to_url(client, url))
    yield Hop("database", budgets["database"], _to_database(database))


def _urls(settings: Settings) -> dict[HopName, str]:
    urls: dict[HopName, str] = {}
    if settings.groq_api_key:
        urls["stt"] = settings.groq_base_url
    if settings.language_model:
        urls["llm"] = settings.language_model.base_url
    if settings.backup_model:
        urls["llm_backup"] = settings.backup_model.base_url
    if settings.guard:
        urls["guard"] = settings.guard.base_url
    if settings.elevenlabs_api_key:
        urls["tts"] = settings.elevenlabs_base_url
    return urls


def _to_url(client: httpx.AsyncClient, url: str) -> Callable[[], Awaitable[float]]:
    """Any answer is one: without a key most say 401 or 404."""

    async def measure() -> float:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                return await _quickest(lambda: client.head(url))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as e:
            raise ProviderError(f"no answer: {type(e).__name__}") from e

    return measure


def _to_database(database: Database) -> Callable[[], Awaitable[float]]:
    async def measure() -> float:
        return await database.ask(lambda c: _quickest(lambda: c.execute("SELECT 1")), ANSWERS_WITHIN_S)

    return measure


async def _quickest(ask: Callable[[], Awaitable[object]]) -> float:
    """In ms. The first time opens the connection, and does not count. (uvloop's own clock knows whole ms alone.)"""
    await ask()
    times = []
    for _ in range(ROUND_TRIPS):
        asked_at = perf_counter()
        await ask()
        times.append(perf_counter() - asked_at)
    return 1000 * min(times)
