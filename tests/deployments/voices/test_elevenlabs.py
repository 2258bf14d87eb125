"""The voice of ElevenLabs: a clause takes its first way, and no more of the key's generations than it may."""

import asyncio
import logging
import time
from contextlib import aclosing

import pytest

from deployments.voices import elevenlabs
from deployments.voices.elevenlabs import ElevenLabsVoice
from serve_app.conversation.breaker import OPENS_AT, State
from serve_app.errors import ConfigurationError, SpeechError
from tests.deployments.voices.elevenlabs_calls import (
    CLAUSE,
    KEY,
    aligned_text,
    all_of,
    begun,
    said,
    told,
    until,
    warmed,
    with_voice,
)
from tests.fakes.elevenlabs_server import MULTI, SINGLE, FakeElevenLabs, Fault


def test_a_clause_takes_the_first_way(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        assert aligned_text(await said(voice)) == "good morning "
        assert {received.way for received in server.received} == {MULTI}
        assert server.received[0].api_key == KEY

    with_voice(server.url, scenario)


def test_nothing_to_say_opens_nothing(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        for text in ("", "  ", "...", "—"):
            assert await said(voice, text) == []
        assert server.received == []

    with_voice(server.url, scenario)


def test_the_listeners_time_is_not_counted(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs, "AUDIO_GAP_S", 0.2)

    async def scenario(voice: ElevenLabsVoice) -> None:
        async with aclosing(told(voice)) as speech:
            await anext(speech)
            await asyncio.sleep(0.3)
            assert await all_of(speech)

    with_voice(server.url, scenario)


def test_generations_in_flight_are_bounded(server: FakeElevenLabs) -> None:
    server.delay_s = 0.05

    async def scenario(voice: ElevenLabsVoice) -> None:
        voice.generations = 3
        speaking = asyncio.gather(*(said(voice, f"clause {number}") for number in range(9)))
        while not speaking.done():
            assert server.live_contexts <= 3
            await asyncio.sleep(0.002)
        assert [aligned_text(chunks) for chunks in speaking.result()] == [f"clause {number} " for number in range(9)]

    with_voice(server.url, scenario)


def test_who_waits_for_a_generation_waits_within_the_budget(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevenlabs, "FIRST_AUDIO_S", 0.3)
    states: list[tuple[str, State]] = []

    async def scenario(voice: ElevenLabsVoice) -> None:
        server.fault = Fault.STALL_MIDWAY
        async with aclosing(told(voice)) as speech:
            await anext(speech)
            for _ in range(OPENS_AT):
                with pytest.raises(SpeechError, match="as many clauses as it may"):
                    await said(voice)
        assert len(server.contexts) == 1

    with_voice(server.url, scenario, generations=1, on_change=lambda *change: states.append(change))
    assert len(states) == 3  # it says nothing of any way


def test_who_stops_listening_does_not_wait(server: FakeElevenLabs) -> None:
    server.fault = Fault.STALL_MIDWAY

    async def scenario(voice: ElevenLabsVoice) -> None:
        async with aclosing(told(voice)) as speech:
            await anext(speech)
            began = time.monotonic()
        assert time.monotonic() - began < 0.5

    with_voice(server.url, scenario)


def test_breaking_off_says_nothing_of_a_way(server: FakeElevenLabs) -> None:
    states: list[tuple[str, State]] = []

    async def scenario(voice: ElevenLabsVoice) -> None:
        for _ in range(OPENS_AT + 1):
            await begun(told(voice))
        server.fault = Fault.STALL
        for _ in range(OPENS_AT + 1):
            before = server.contexts
            speaking = asyncio.create_task(said(voice))
            await until(lambda before=before: any(c.closed for c in server.contexts if c not in before))
            speaking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await speaking

    with_voice(server.url, scenario, on_change=lambda *change: states.append(change), generations=20)
    assert len(states) == 3


@pytest.mark.parametrize("faulty", [[], [MULTI], [MULTI, SINGLE]])
def test_neither_key_nor_text_is_logged(
    server: FakeElevenLabs, caplog: pytest.LogCaptureFixture, faulty: list[str]
) -> None:
    server.faulty, server.fault = faulty, Fault.NO_AUDIO

    async def scenario(voice: ElevenLabsVoice) -> None:
        await all_of(told(voice))

    with caplog.at_level(logging.DEBUG):
        with_voice(server.url, scenario)
    written = [record.getMessage() for record in caplog.records]
    assert not any(KEY in message or CLAUSE in message for message in written)


def test_configuration() -> None:
    with pytest.raises(ConfigurationError, match="ELEVENLABS_API_KEY"):
        ElevenLabsVoice.from_environment({"ELEVENLABS_API_KEY": ""})
    assert ElevenLabsVoice.from_environment({"ELEVENLABS_API_KEY": KEY}).describe() == "ElevenLabs eleven_flash_v2_5"


@pytest.mark.parametrize("key", [f"{KEY}…", f"{KEY}\n", f"{KEY} x", " "])
def test_a_key_that_no_header_takes_is_a_mistake(key: str) -> None:
    with pytest.raises(ConfigurationError, match="ELEVENLABS_API_KEY") as mistake:
        ElevenLabsVoice.from_environment({"ELEVENLABS_API_KEY": key})
    assert KEY not in mistake.value.message


@pytest.mark.parametrize("url", ["api.elevenlabs.io", "ws://a", "http://", "https://[::", "http://a:99999"])
def test_an_address_that_is_none_is_a_mistake(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ELEVENLABS_BASE_URL"):
        ElevenLabsVoice.from_environment({"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": url})


def test_warming_never_raises() -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await warmed(voice)
        await asyncio.sleep(0.05)
        assert voice.sockets == 0

    with_voice("http://127.0.0.1:1", scenario)
