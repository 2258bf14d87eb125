"""Over real sockets. The way to a real PostgreSQL is in tests/store/test_hop.py."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from serve_app.errors import ProviderError
from serve_app.hops import BUDGETS_MS, ROUND_TRIPS, Hop, hops_of
from serve_app.settings import Settings
from serve_app.store.database import Database

KEYS = {"GROQ_API_KEY": "gsk_hush", "ELEVENLABS_API_KEY": "el_hush"}


class Provider:
    """Answers each request after `delay_s`, and keeps connections open. `heard`: what it was sent."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.heard: list[str] = []
        self._serving: list[Any] = []

    @property
    def connections(self) -> int:
        return len(self._serving)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.current_task())
        try:
            while True:
                self.heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
                await asyncio.sleep(self.delay_s)
                writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            await writer.wait_closed()


def hops(client: httpx.AsyncClient, database_url: str = "postgresql://", **environ: str) -> list[Hop]:
    settings = Settings.from_environment({"DATABASE_URL": "postgresql://", **environ})
    return list(hops_of(settings, client, Database(database_url)))


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ["database"]),
        ({"GROQ_API_KEY": "gsk_1"}, ["stt", "llm", "llm_backup", "database"]),
        ({"LLM_BASE_URL": "http://llm:8/v1"}, ["llm", "database"]),
        (
            {**KEYS, "GUARD_MODEL": "g", "LLM_BASE_URL": "http://llm:8/v1"},
            ["stt", "llm", "guard", "tts", "database"],
        ),
    ],
)
def test_a_hop_to_each_provider_in_use(environ: dict[str, str], names: list[str]) -> None:
    assert [hop.name for hop in hops(httpx.AsyncClient(), **environ)] == names


def test_budgets_are_the_operators() -> None:
    budgets = {
        hop.name: hop.budget_ms for hop in hops(httpx.AsyncClient(), **KEYS, HOP_BUDGETS_MS="stt=150,database=3")
    }
    assert budgets["stt"] == 150
    assert budgets["database"] == 3
    assert budgets["tts"] == BUDGETS_MS["tts"]


def measured(name: str, provider: Provider, **environ: str) -> float:
    async def perform() -> float:
        async with provider.serving() as url, httpx.AsyncClient() as client:
            addresses = {"GROQ_BASE_URL": url, "ELEVENLABS_BASE_URL": url}
            found = {hop.name: hop for hop in hops(client, **KEYS, **addresses, **environ)}
            return await found[name].measure()

    return asyncio.run(perform())


@pytest.mark.parametrize(
    ("name", "path"), [("stt", "/"), ("llm", "/openai/v1"), ("llm_backup", "/openai/v1"), ("tts", "/")]
)
def test_it_is_a_round_trip_over_an_open_connection_without_a_key(name: str, path: str) -> None:
    provider = Provider(delay_s=0.02)
    assert 20 <= measured(name, provider) < 60
    assert provider.connections == 1
    assert len(provider.heard) == 1 + ROUND_TRIPS
    assert all(each.startswith(f"HEAD {path} HTTP/1.1\r\n") for each in provider.heard)
    assert "hush" not in "".join(provider.heard)
    assert "uthorization" not in "".join(provider.heard)


def test_where_requests_go_through_a_proxy_so_does_this(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Provider()

    async def perform() -> None:
        async with proxy.serving() as url:
            monkeypatch.setenv("http_proxy", url)
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
            async with httpx.AsyncClient() as client:
                await hops(client, GROQ_API_KEY="gsk_1", GROQ_BASE_URL="http://groq.test")[0].measure()

    asyncio.run(perform())
    assert all(each.startswith("HEAD http://groq.test/ HTTP/1.1\r\n") for each in proxy.heard)
    assert len(proxy.heard) == 1 + ROUND_TRIPS


def test_nobody_there_is_no_answer() -> None:
    async def perform(url: str) -> None:
        async with httpx.AsyncClient() as client:
            await hops(client, GROQ_API_KEY="gsk_1", GROQ_BASE_URL=url)[0].measure()

    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        for url in (f"http://127.0.0.1:{reserved.getsockname()[1]}", "http://[1"):
            with pytest.raises(ProviderError, match="no answer"):
                asyncio.run(perform(url))


def test_a_database_that_is_away_is_a_failure_of_a_provider(tmp_path: object) -> None:
    (hop,) = hops(httpx.AsyncClient(), f"postgresql://postgres@/postgres?host={tmp_path}")
    with pytest.raises(ProviderError):
        asyncio.run(hop.measure())
