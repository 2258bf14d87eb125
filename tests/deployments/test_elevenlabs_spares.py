"""Sockets are open before they are needed, never too old, and closed when nobody speaks."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from deployments import elevenlabs
from deployments.elevenlabs import ElevenLabsVoice
from serve_app.errors import SpeechError
from tests.deployments.elevenlabs_calls import aligned_text, said, until, with_voice
from tests.fakes.elevenlabs_server import FakeElevenLabs, Fault, Received


def opening(connection: Received) -> str:
    """All that the server knows of a clause before its text."""
    return repr((connection.voice_id, connection.query, connection.messages[0]))


@pytest.fixture
def server() -> Iterator[FakeElevenLabs]:
    with FakeElevenLabs() as fake:
        yield fake


def test_the_next_clause_finds_an_open_socket(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        await until(lambda: len(server.received) == 2 and server.received[1].messages)
        await said(voice, "again")
        assert [message["text"] for message in server.received[1].messages] == [" ", "again ", ""]
        await until(lambda: len(server.received) == 3)

    with_voice(server.url, scenario)
    assert all(connection.closed.wait(5) for connection in server.received)
    assert len(server.received) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"agent_output_audio_format": "ulaw_8000"},
        {"voice_id": "somebody"},
        {"model_id": "eleven_turbo_v2_5"},
        {"stability": 0.4},
        {"similarity_boost": 0.4},
        {"speed": 1.1},
    ],
    ids=lambda other: next(iter(other)),
)
def test_each_voice_has_a_spare_of_its_own(server: FakeElevenLabs, other: dict[str, Any]) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        await said(voice, **other)
        await until(lambda: len(server.received) == 4 and all(one.messages for one in server.received))
        used = {opening(one) for one in server.received if len(one.messages) == 3}
        spare = {opening(one) for one in server.received if len(one.messages) == 1}
        assert used == spare
        assert len(used) == 2

    with_voice(server.url, scenario)


def test_a_spare_is_replaced_before_it_is_too_old(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs, "SPARE_AGE_S", 0.1)

    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        await until(lambda: len(server.received) >= 4)
        await until(server.received[1].closed.is_set)
        assert len(server.received[1].messages) == 1

    with_voice(server.url, scenario)


def test_a_voice_that_is_not_used_has_no_spare(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs, "SPARE_AGE_S", 0.1)
    monkeypatch.setattr(elevenlabs, "SPARE_USE_S", 0.05)

    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        await until(lambda: len(server.received) == 2 and server.received[1].closed.is_set())
        await asyncio.sleep(0.15)
        assert len(server.received) == 2

    with_voice(server.url, scenario)


def test_a_spare_that_was_closed_is_not_used(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        server.fault = Fault.IDLE
        with pytest.raises(SpeechError, match="input_timeout_exceeded"):
            await said(voice)
        await until(lambda: len(server.received) == 2 and server.received[1].closed.is_set())
        server.fault = None
        assert aligned_text(await said(voice)) == "good morning "

    with_voice(server.url, scenario)
