"""Which parts the environment chooses, and whose key goes where."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray import serve

from deployments.replicas import Replicas
from deployments.whisper import RemoteTranscriber
from serve_app.admission import Ceilings, Reception
from serve_app.app import choose_guard, choose_models, choose_transcriber, described_hearing, has_room, stt_fails
from serve_app.caretaker import Caretaker
from serve_app.conversation.agent import Agent, ConversationConfig, Persona
from serve_app.conversation.breaker import State
from serve_app.drain import MOVING_S, Drain
from serve_app.places import Places
from serve_app.providers.hedged_transcriber import HedgedTranscriber
from serve_app.providers.offline_agent import OfflineAgent
from serve_app.settings import Settings
from serve_app.strain import Strain

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


@serve.deployment
class Ears:
    def __init__(self, answers: bool) -> None:
        self._answers = answers

    async def describe(self) -> str:
        return "local ears" if self._answers else await asyncio.Future()


@pytest.mark.parametrize(
    ("environ", "states", "answers", "described"),
    [
        (GROQ, {"RUNNING": 1}, True, "Groq Whisper, then: local ears"),
        (GROQ, {"STOPPING": 1}, True, "Groq Whisper, then: local Whisper, asleep"),
        (GROQ, {"STARTING": 1}, True, "Groq Whisper, then: local Whisper, which starts"),
        (GROQ, {"RUNNING": 1}, False, "Groq Whisper, then: local Whisper, which does not answer"),
        ({}, {}, True, "local ears"),
    ],
)
def test_local_ears_are_neither_woken_nor_waited_for_to_be_described_unless_nobody_else_hears(
    environ: dict[str, str], states: dict[str, int], answers: bool, described: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.app.STANDBY_ANSWERS_WITHIN_S", 0.2)
    handle = serve.run(Ears.bind(answers), name="hello", _local_testing_mode=True)
    ears = Replicas(handle, needed=False)
    ears.take(states)
    assert asyncio.run(described_hearing(settings(**environ), handle, ears)) == described


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


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    places = Places(tmp_path / "places")
    yield places
    places.close()


def test_a_replica_has_room_as_long_as_it_would_take_a_call_and_looking_takes_none(places: Places) -> None:
    ceilings = Ceilings(max_conversations=1)
    reception, agent = Reception(places, Strain()), Agent("Test", ConversationConfig(Persona()))
    caretaker = Caretaker([])
    assert has_room(caretaker, reception, ceilings, "test", agent)
    assert has_room(caretaker, reception, ceilings, "test", agent)
    with reception.admit(ceilings, "agent:test", "test", agent):
        assert not has_room(caretaker, reception, ceilings, "test", agent)
    assert has_room(caretaker, reception, ceilings, "test", agent)


@pytest.mark.parametrize(("left_s", "room"), [(MOVING_S + 5, True), (MOVING_S - 5, False)])
def test_a_replica_that_is_about_to_go_has_no_room(left_s: float, room: bool, places: Places) -> None:
    async def has() -> bool:
        caretaker = Caretaker([])
        caretaker.drain = Drain(asyncio.get_running_loop().time() + left_s)
        agent = Agent("Test", ConversationConfig(Persona()))
        return has_room(caretaker, Reception(places, Strain()), Ceilings(), "test", agent)

    assert asyncio.run(has()) is room


def test_without_a_provider_the_local_recogniser_is_needed_while_somebody_calls(places: Places) -> None:
    reception, local = Reception(places, Strain()), RemoteTranscriber(handle())
    assert not stt_fails(local, reception)
    with reception.admit(Ceilings(), "agent:test", "test", Agent("Test", ConversationConfig(Persona()))):
        assert stt_fails(local, reception)
    assert not stt_fails(local, reception)


def test_with_a_provider_it_is_while_that_one_is_left_alone(places: Places) -> None:
    async def fails() -> bool:
        reception = Reception(places, Strain())
        groq = choose_transcriber(settings(**GROQ), RemoteTranscriber(handle()), ignore)
        with reception.admit(Ceilings(), "agent:test", "test", Agent("Test", ConversationConfig(Persona()))):
            return stt_fails(groq, reception)

    assert not asyncio.run(fails())
