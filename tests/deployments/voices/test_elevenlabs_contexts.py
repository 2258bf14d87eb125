"""Clauses side by side on a socket: nothing of one is heard in another, and none is left behind."""

import asyncio

import pytest

from deployments.voices import elevenlabs_contexts
from deployments.voices.elevenlabs import ElevenLabsVoice
from tests.deployments.voices.elevenlabs_calls import (
    aligned_text,
    all_of,
    audio,
    begun,
    said,
    told,
    until,
    warmed,
    with_voice,
)
from tests.fakes.elevenlabs_server import MULTI, FakeElevenLabs, Fault

pytestmark = pytest.mark.usefixtures("tended_often")

LONG = "This is a rather long sentence that nobody wants to hear to its end. " * 5


def test_a_clause_on_the_wire(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice, "good morning", stability=0.3, similarity_boost=0.9, speed=1.2)
        init, text, end = server.received[0].messages
        id = {"context_id": init["context_id"]}
        settings = {"stability": 0.3, "similarity_boost": 0.9, "speed": 1.2}
        assert init == {"text": " ", "voice_settings": settings} | id
        assert text == {"text": "good morning ", "flush": True} | id
        assert end == {"close_context": True} | id

    with_voice(server.url, scenario)


def test_voices_share_sockets_and_keep_their_settings(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        slow, fast = await asyncio.gather(said(voice, speed=0.7), said(voice, speed=1.2))
        assert len(audio(slow)) > 1.4 * len(audio(fast))
        assert len(server.received[0].contexts) == 2

    with_voice(server.url, scenario)


def test_late_audio_of_a_clause_that_was_left_is_not_heard(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await begun(told(voice, LONG))
        assert server.live_contexts == 1
        chunks = await said(voice, "something else")
        assert aligned_text(chunks) == "something else "
        assert audio(chunks) == server.contexts[1].sent
        assert len(server.received[0].contexts) == 2
        await until(lambda: not server.live_contexts)

    with_voice(server.url, scenario)


def test_not_one_character_is_sent_after_a_barge_in(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await begun(told(voice, LONG))
        messages, characters = len(server.received[0].messages), server.characters
        await until(lambda: server.contexts[0].final)
        assert (len(server.received[0].messages), server.characters) == (messages, characters)
        assert server.contexts[0].closed

    with_voice(server.url, scenario)


def test_500_barge_ins_leave_the_pool_as_it_was(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        tasks = len(asyncio.all_tasks())

        async def caller(number: int) -> None:
            for turn in range(50):
                await begun(told(voice, f"{number}, {turn}"))

        await asyncio.gather(*map(caller, range(10)))
        await until(lambda: not server.live_contexts)
        await until(lambda: voice._generations.running == 0)
        assert len(server.contexts) == 501
        assert all(context.closed and context.final for context in server.contexts)
        assert voice.sockets == server.open_sockets <= 6
        assert {received.way for received in server.received} == {MULTI}
        assert len(asyncio.all_tasks()) <= tasks + 6 * 3  # a socket's: ours, and two of the library's
        assert await said(voice)

    with_voice(server.url, scenario)


def test_a_socket_that_dies_takes_only_its_own_clauses_along(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        server.delay_s = 0.3
        speaking = [asyncio.create_task(all_of(told(voice, f"clause {number}"))) for number in range(2)]
        await until(lambda: server.live_contexts == 2 and voice.sockets == 2)
        server.delay_s = 0.0
        elsewhere = asyncio.create_task(said(voice, LONG))
        await until(lambda: server.received[1].contexts)
        server.kill(server.received[0])
        assert aligned_text(await elsewhere).strip() == LONG.strip()
        for items in await asyncio.gather(*speaking):
            assert "before the end" in items[0].why  # it fell back: nothing had been heard
        await until(lambda: voice.sockets == 1)

    with_voice(server.url, scenario)


def test_a_socket_on_which_a_clause_stalls_gets_no_more(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevenlabs_contexts, "OVERDUE_S", 0.1)
    monkeypatch.setattr(elevenlabs_contexts, "LOST_S", 0.3)

    async def scenario(voice: ElevenLabsVoice) -> None:
        await warmed(voice)
        await until(lambda: voice.sockets == 1)
        server.fault = Fault.HALF_OPEN
        server.fault = None
        speaking = asyncio.create_task(all_of(told(voice)))
        await asyncio.sleep(0.15)
        assert aligned_text(await said(voice)) == "good morning "
        fallback, *_ = await speaking
        assert "silent" in fallback.why
        await until(lambda: voice.sockets == 1)

    with_voice(server.url, scenario)


def test_a_context_that_never_ends_is_got_rid_of(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs_contexts, "LOST_S", 0.2)

    async def scenario(voice: ElevenLabsVoice) -> None:
        server.fault = Fault.STALL_MIDWAY
        for _ in range(4):
            await begun(told(voice))
        assert voice._generations.running == 4
        server.fault = None
        await until(lambda: voice._generations.running == 0)
        await until(lambda: server.live_contexts == 0)
        assert await said(voice)

    with_voice(server.url, scenario)
