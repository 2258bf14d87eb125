"""Which parts the environment chooses, and whose key goes where."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from deployments.whisper import RemoteTranscriber
from serve_app.app import choose_model, choose_transcriber, describe_store
from serve_app.providers.chat import ChatModel
from serve_app.providers.groq_stt import GroqTranscriber
from serve_app.providers.offline_agent import OfflineAgent
from serve_app.settings import Settings
from serve_app.store.database import Database

GROQ = {"GROQ_API_KEY": "gsk_ours"}


def settings(**environ: str) -> Settings:
    return Settings.from_environment({"DATABASE_URL": "postgresql://", **environ})


def handle() -> Any:
    return object()  # is kept, not called


def chat_model(**environ: str) -> tuple[str, str, str]:
    """(base URL, key, model) of the chat model that is chosen."""
    model = choose_model(settings(**environ))
    assert isinstance(model, ChatModel)
    client = model._client
    asyncio.run(model.aclose())
    return str(client.base_url), client.api_key, model._model


def test_without_keys_all_is_local() -> None:
    assert isinstance(choose_model(settings()), OfflineAgent)
    assert isinstance(choose_transcriber(settings(), handle()), RemoteTranscriber)


def test_groqs_key_switches_hearing_and_thinking_on() -> None:
    assert isinstance(choose_transcriber(settings(**GROQ), handle()), GroqTranscriber)
    url, key, model = chat_model(**GROQ)
    assert (url, key) == ("https://api.groq.com/openai/v1/", "gsk_ours")
    assert model == "openai/gpt-oss-120b"


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "http://127.0.0.1:9/"])
def test_groq_may_live_elsewhere(base_url: str) -> None:
    url, _, _ = chat_model(**GROQ, GROQ_BASE_URL=base_url)
    assert url == "http://127.0.0.1:9/openai/v1/"


@pytest.mark.parametrize(("given", "key"), [({}, "none"), ({"LLM_API_KEY": "theirs"}, "theirs")])
def test_another_endpoint_never_gets_groqs_key(given: dict[str, str], key: str) -> None:
    environ = {**GROQ, **given, "LLM_BASE_URL": "http://127.0.0.1:9/v1", "LLM_MODEL": "m"}
    assert chat_model(**environ) == ("http://127.0.0.1:9/v1/", key, "m")


def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    async def described() -> str:
        database = Database(f"postgresql://postgres@/postgres?host={tmp_path}")
        try:
            return await describe_store(database)
        finally:
            await database.aclose()

    assert "does not answer" in asyncio.run(described())
