"""What becomes of a clause when ways to ElevenLabs fail: another way, or a SpeechError in time."""

import asyncio
import itertools
import socket
import time
from contextlib import aclosing

import pytest

from deployments.voices import elevenlabs, elevenlabs_contexts, elevenlabs_wire
from deployments.voices.elevenlabs import ElevenLabsVoice
from serve_app.conversation import breaker
from serve_app.conversation.breaker import OPENS_AT, State
from serve_app.errors import SpeechError
from serve_app.ports import Fallback, SpeechChunk
from tests.deployments.voices.elevenlabs_calls import CLAUSE, KEY, aligned_text, all_of, said, told, with_voice
from tests.fakes.elevenlabs_server import HTTP, MULTI, SINGLE, FakeElevenLabs, Fault

QUICK = [Fault.SERVER_ERROR, Fault.ERROR, Fault.NO_AUDIO, Fault.MALFORMED]
MIDWAY = [Fault.STALL_MIDWAY, Fault.RESET, Fault.EARLY_CLOSE]
TITLES = [f"ElevenLabs {way}" for way in (MULTI, SINGLE, HTTP)]


@pytest.mark.parametrize("fault", QUICK)
@pytest.mark.parametrize(("faulty", "spoken"), [([MULTI], "good morning "), ([MULTI, SINGLE], "good morning")])
def test_a_way_that_fails_at_once_is_replaced(
    server: FakeElevenLabs, fault: Fault, faulty: list[str], spoken: str
) -> None:
    server.faulty, server.fault = faulty, fault

    async def scenario(voice: ElevenLabsVoice) -> None:
        items = await all_of(told(voice))
        fallbacks, chunks = items[: len(faulty)], items[len(faulty) :]
        assert [(one.stage, one.failed, one.instead) for one in fallbacks] == [
            ("tts", failed, instead) for failed, instead in itertools.pairwise(TITLES[: len(faulty) + 1])
        ]
        assert not any(KEY in one.why or CLAUSE in one.why for one in fallbacks)
        assert aligned_text(chunks) == spoken

    with_voice(server.url, scenario)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.SERVER_ERROR, "HTTP 500"),
        (Fault.ERROR, r"quota_exceeded (1008)"),
        (Fault.NO_AUDIO, "without audio"),
        (Fault.MALFORMED, "not a message"),
    ],
)
def test_a_fallback_says_why(server: FakeElevenLabs, fault: Fault, why: str) -> None:
    server.faulty, server.fault = [MULTI], fault

    async def scenario(voice: ElevenLabsVoice) -> None:
        async with aclosing(told(voice)) as speech:
            fallback = await anext(speech)
        assert isinstance(fallback, Fallback)
        assert why in fallback.why

    with_voice(server.url, scenario)


@pytest.mark.parametrize("fault", [*QUICK, Fault.REFUSED, Fault.STALL, Fault.HALF_OPEN, *MIDWAY])
def test_when_every_way_fails_it_is_told_in_time_and_passes(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        assert await said(voice)
        server.fault = fault
        monkeypatch.setattr(elevenlabs, "FIRST_AUDIO_S", 0.6)
        monkeypatch.setattr(elevenlabs, "AUDIO_GAP_S", 0.6)
        monkeypatch.setattr(elevenlabs_contexts, "OVERDUE_S", 0.3)
        monkeypatch.setattr(elevenlabs_wire, "OPEN_S", 0.3)
        began = time.monotonic()
        with pytest.raises(SpeechError) as failure:
            await all_of(told(voice))
        assert time.monotonic() - began < 2
        assert not any(secret in repr(failure.value) for secret in (KEY, CLAUSE))
        server.fault = None
        *_, last = await all_of(told(voice))
        assert isinstance(last, SpeechChunk)

    with_voice(server.url, scenario)


@pytest.mark.parametrize("fault", [Fault.BAD_KEY, Fault.FORBIDDEN, Fault.RATE_LIMIT])
def test_a_refused_key_is_refused_on_every_way(server: FakeElevenLabs, fault: Fault) -> None:
    server.fault = fault

    async def scenario(voice: ElevenLabsVoice) -> None:
        for _ in range(OPENS_AT + 1):  # and says nothing of the way
            with pytest.raises(SpeechError, match=r"HTTP 4\d\d"):
                await said(voice)
        server.fault = None
        assert await said(voice)

    with_voice(server.url, scenario)


def test_a_stall_leaves_no_time_for_another_way(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs, "FIRST_AUDIO_S", 0.3)
    server.faulty, server.fault = [MULTI], Fault.STALL

    async def scenario(voice: ElevenLabsVoice) -> None:
        with pytest.raises(SpeechError, match="no audio in time"):
            await said(voice)
        assert {received.way for received in server.received} == {MULTI}

    with_voice(server.url, scenario)


@pytest.mark.parametrize("fault", MIDWAY)
def test_after_audio_there_is_no_other_way(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(elevenlabs, "AUDIO_GAP_S", 0.3)
    server.faulty, server.fault = [MULTI], fault

    async def scenario(voice: ElevenLabsVoice) -> None:
        async with aclosing(told(voice)) as speech:
            assert isinstance(await anext(speech), SpeechChunk)
            with pytest.raises(SpeechError):
                await anext(speech)
        assert {received.way for received in server.received} == {MULTI}

    with_voice(server.url, scenario)


def test_a_way_that_keeps_failing_is_left_alone_until_it_has_healed(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PROBE_AFTER_S", 0.3)
    server.faulty, server.fault = [MULTI], Fault.NO_AUDIO
    states: list[tuple[str, State]] = []

    async def scenario(voice: ElevenLabsVoice) -> None:
        for _ in range(OPENS_AT + 1):
            fallback, *_ = await all_of(told(voice))
        assert "left alone" in fallback.why
        assert sum(bool(context.texts) for context in server.contexts if context.id) == OPENS_AT
        server.fault = None
        await asyncio.sleep(0.3)
        assert await said(voice)

    with_voice(server.url, scenario, on_change=lambda *change: states.append(change))
    assert states[:3] == [(f"elevenlabs {way}", State.CLOSED) for way in (MULTI, SINGLE, HTTP)]
    assert [state for name, state in states[3:] if MULTI in name] == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_a_way_on_trial_that_stalls_leaves_time_for_the_next(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a way that stalls for ever would keep the others from ever being used."""
    monkeypatch.setattr(elevenlabs, "PROBE_S", 0.1)
    monkeypatch.setattr(breaker, "PROBE_AFTER_S", 0.0)
    server.faulty, server.fault = [MULTI], Fault.NO_AUDIO

    async def scenario(voice: ElevenLabsVoice) -> None:
        for _ in range(OPENS_AT):
            await all_of(told(voice))
        server.fault = Fault.STALL
        fallback, *chunks = await all_of(told(voice))
        assert (fallback.instead, "in time" in fallback.why) == (TITLES[1], True)
        assert chunks

    with_voice(server.url, scenario)


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs, "FIRST_AUDIO_S", 0.2)

    async def scenario(voice: ElevenLabsVoice) -> None:
        began = time.monotonic()
        with pytest.raises(SpeechError, match="in time"):
            await said(voice)
        assert time.monotonic() - began < 2

    with socket.create_server(("127.0.0.1", 0)) as deaf:  # connections wait in its backlog
        with_voice(f"http://127.0.0.1:{deaf.getsockname()[1]}", scenario)


def test_nobody_listens() -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        with pytest.raises(SpeechError, match="cannot be reached: Connect"):
            await all_of(told(voice))

    with_voice("http://127.0.0.1:1", scenario)
