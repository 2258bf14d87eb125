"""Which parts the environment chooses, and whose key goes where."""

import asyncio
from typing import Any

import pytest

from deployments.whisper import RemoteTranscriber
from serve_app.app import choose_guard, choose_models, choose_transcriber
from serve_app.conversation.breaker import State
from serve_app.providers.hedged_transcriber import HedgedTranscriber
from serve_app.providers.offline_agent import OfflineAgent
from serve_app.settings import Settings

GROQ = {"GROQ_API_KEY": "gsk_ours"}


def settings(**environ: str) -> Settings:
    return Settings.from_environment({"DATABASE_URL": "postgresql://", **environ})


def handle() -> Any:
    return object()  # is kept, not called


def chat_models(**environ: str) -> list[tuple[str, str, str]]:
    """(base URL, key, model) of the chat models that are chosen, in the order in which they are asked."""
    models = choose_models(settings(**environ), environ, ignore)
    asyncio.run(models.aclose())
    return [(str(each.client._client.base_url), each.client._client.api_key, each.llm) for each in models._servers]


def ignore(name: str, state: State) -> None:
    pass


def test_without_keys_all_is_local() -> None:
    assert isinstance(choose_models(settings(), {}, ignore)._default, OfflineAgent)
    local = RemoteTranscriber(handle())
    assert choose_transcriber(settings(), local, ignore) is local


def test_groqs_key_switches_hearing_and_thinking_on() -> None:
    states: dict[str, State] = {}
    hedged = choose_transcriber(settings(**GROQ), RemoteTranscriber(handle()), states.__setitem__)
    assert isinstance(hedged, HedgedTranscriber)
    assert states == {"Groq Whisper": State.CLOSED}
    groq = "https://api.groq.com/openai/v1/"
    assert chat_models(**GROQ) == [
        (groq, "gsk_ours", "openai/gpt-oss-120b"),
        (groq, "gsk_ours", "openai/gpt-oss-20b"),
    ]


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "http://127.0.0.1:9/"])
def test_groq_may_live_elsewhere(base_url: str) -> None:
    assert {url for url, _, _ in chat_models(**GROQ, GROQ_BASE_URL=base_url)} == {"http://127.0.0.1:9/openai/v1/"}


@pytest.mark.parametrize(("given", "key"), [({}, "none"), ({"LLM_API_KEY": "theirs"}, "theirs")])
def test_another_endpoint_never_gets_groqs_key(given: dict[str, str], key: str) -> None:
    environ = {**GROQ, **given, "LLM_BASE_URL": "http://127.0.0.1:9/v1", "LLM_MODEL": "m"}
    assert chat_models(**environ) == [("http://127.0.0.1:9/v1/", key, "m")]


def test_nor_does_a_backup_elsewhere() -> None:
    backup = {"LLM_BACKUP_BASE_URL": "http://127.0.0.1:9/v1", "LLM_BACKUP_MODEL": "m"}
    assert chat_models(**GROQ, **backup)[1] == ("http://127.0.0.1:9/v1/", "none", "m")


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        (GROQ, None),
        ({**GROQ, "GUARD_MODEL": "g"}, ("https://api.groq.com/openai/v1/", "gsk_ours")),
        ({**GROQ, "GUARD_MODEL": "g", "GUARD_API_KEY": "gsk_other"}, ("https://api.groq.com/openai/v1/", "gsk_other")),
        ({**GROQ, "GUARD_MODEL": "g", "GUARD_BASE_URL": "http://127.0.0.1:9/v1"}, ("http://127.0.0.1:9/v1/", "none")),
    ],
)
def test_callers_words_are_looked_at_by_whom_the_environment_names(
    environ: dict[str, str], address: tuple[str, str] | None
) -> None:
    states: dict[str, State] = {}
    guard = choose_guard(settings(**environ), states.__setitem__)
    if guard is None:
        assert (address, states) == (None, {})
        return
    asyncio.run(guard.aclose())
    assert (str(guard._client.base_url), guard._client.api_key) == address
    assert states == {"prompt guard": State.CLOSED}
