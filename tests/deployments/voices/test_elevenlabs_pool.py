"""Sockets are open before they are needed, never full, never too old, and closed when nobody speaks."""

import asyncio
import statistics
import time
from contextlib import aclosing
from typing import Any

import pytest

from deployments.voices import elevenlabs_contexts, elevenlabs_pool, elevenlabs_wire
from deployments.voices.elevenlabs import ElevenLabsVoice
from tests.deployments.voices.elevenlabs_calls import aligned_text, all_of, said, told, until, warmed, with_voice
from tests.fakes.elevenlabs_server import MULTI, FakeElevenLabs, Fault

pytestmark = pytest.mark.usefixtures("tended_often")


def test_a_warmed_voice_has_a_socket_and_no_context(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        for _ in range(5):
            await warmed(voice)
        await until(lambda: voice.sockets == 1)
        assert server.contexts == []
        await said(voice)
        assert len(server.received) == 1

    with_voice(server.url, scenario)
    assert server.received[0].closed.wait(5)


@pytest.mark.parametrize(
    "other",
    [{"agent_output_audio_format": "ulaw_8000"}, {"voice_id": "somebody"}, {"model_id": "eleven_turbo_v2_5"}],
    ids=lambda other: next(iter(other)),
)
def test_what_is_in_the_address_has_sockets_of_its_own(server: FakeElevenLabs, other: dict[str, Any]) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        await said(voice, **other)
        assert voice.sockets == 2

    with_voice(server.url, scenario)


def test_another_socket_is_opened_before_one_is_full(server: FakeElevenLabs) -> None:
    server.fault = Fault.STALL_MIDWAY

    async def scenario(voice: ElevenLabsVoice) -> None:
        async with aclosing(told(voice)) as one, aclosing(told(voice)) as two, aclosing(told(voice)) as three:
            await anext(one)
            assert voice.sockets == 1
            await anext(two)
            await until(lambda: voice.sockets == 2)
            await anext(three)
            assert [len(received.live) for received in server.received] == [2, 1]

    with_voice(server.url, scenario)


def test_no_socket_is_ever_full_and_the_rest_is_closed_after_a_rush(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevenlabs_pool, "SURPLUS_S", 0.2)
    server.delay_s = 0.1

    async def scenario(voice: ElevenLabsVoice) -> None:
        texts = [f"clause number {number}" for number in range(30)]
        spoken = await asyncio.gather(*(said(voice, text) for text in texts))
        assert [aligned_text(chunks).rstrip() for chunks in spoken] == texts
        assert max(received.most_live for received in server.received) == elevenlabs_contexts.MOST_CONTEXTS
        assert 30 / 4 <= len(server.received) <= 16
        await until(lambda: voice.sockets == server.open_sockets == 1)

    with_voice(server.url, scenario, generations=30)


def test_a_half_open_socket_is_found_out_while_nobody_speaks(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevenlabs_wire, "PING_S", 0.2)

    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        server.fault = Fault.HALF_OPEN
        server.fault = None
        await until(lambda: len(server.received) == 2 and voice.sockets == 1)
        assert await said(voice)

    with_voice(server.url, scenario)


def test_a_socket_that_was_closed_is_replaced_unasked(server: FakeElevenLabs) -> None:
    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        server.fault = Fault.IDLE
        server.fault = None
        await until(lambda: server.received[0].closed.is_set())
        await until(lambda: voice.sockets == 1 and server.open_sockets == 1)
        assert aligned_text(await said(voice)) == "good morning "
        assert len(server.received) == 2

    with_voice(server.url, scenario)


def test_a_socket_is_replaced_before_it_is_too_old(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs_pool, "RENEW_S", 0.2)
    monkeypatch.setattr(elevenlabs_pool, "SURPLUS_S", 0.2)

    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        for replaced in range(1, 4):
            await until(lambda: server.received[replaced - 1].closed.is_set())  # noqa: B023
            assert len(server.received) == replaced + 1
            assert not server.received[replaced].closed.is_set()

    with_voice(server.url, scenario)


def test_a_voice_that_nobody_wants_has_no_socket(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs_pool, "WANTED_S", 0.2)

    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        await until(lambda: voice.sockets == server.open_sockets == 0)
        await until(lambda: voice._pool._tending.done())
        assert await said(voice)
        assert len(server.received) == 2

    with_voice(server.url, scenario)


def test_tidying_does_not_take_a_socket_from_who_waits_for_it(
    server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevenlabs_pool, "TEND_EVERY_S", 0.0)  # between any two steps of a clause

    async def scenario(voice: ElevenLabsVoice) -> None:
        assert await said(voice)
        assert len(server.received) == 1

    with_voice(server.url, scenario)


def test_a_server_that_is_gone_is_not_pestered(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = 0
    connect = elevenlabs_wire.Account.connect

    async def counted(account: elevenlabs_wire.Account, url: str) -> Any:
        nonlocal attempts
        attempts += 1
        return await connect(account, url)

    monkeypatch.setattr(elevenlabs_wire.Account, "connect", counted)
    monkeypatch.setattr(elevenlabs_pool, "RETRY_S", 0.5)

    async def scenario(voice: ElevenLabsVoice) -> None:
        await said(voice)
        server.fault = Fault.REFUSED
        await until(lambda: attempts == 2)
        await asyncio.sleep(0.2)
        assert attempts == 2
        server.fault = None
        await until(lambda: voice.sockets == 1)  # without a clause that asks for it

    with_voice(server.url, scenario)


def test_a_server_that_hangs_up_at_once_is_not_pestered(server: FakeElevenLabs) -> None:
    """The pool, which fills itself again after a clause, tries once, and then leaves it alone for RETRY_S."""

    async def scenario(voice: ElevenLabsVoice) -> None:
        server.faulty, server.fault = [MULTI], Fault.IDLE
        fallback, *chunks = await all_of(told(voice))
        assert "input_timeout_exceeded" in fallback.why or "at once" in fallback.why
        assert chunks
        await asyncio.sleep(20 * elevenlabs_pool.TEND_EVERY_S)
        assert [received.way for received in server.received].count(MULTI) <= 2

    with_voice(server.url, scenario)


@pytest.mark.parametrize("warm", [True, False])
def test_the_first_audio_is_hardly_later_than_the_providers(server: FakeElevenLabs, warm: bool) -> None:
    server.delay_s = 0.1
    late_s: list[float] = []

    async def scenario(voice: ElevenLabsVoice) -> None:
        for number in range(10):
            asked_at = time.monotonic()
            async with aclosing(
                told(voice, f"clause {number}", **({} if warm else {"voice_id": str(number)}))
            ) as speech:
                await anext(speech)
                took_s = time.monotonic() - asked_at
                await all_of(speech)
            context = server.contexts[-1]
            late_s.append(took_s - ((context.spoke_at or 0.0) - context.texts[0][0]))

    with_voice(server.url, scenario)
    assert statistics.median(late_s) < 0.1  # 2 ms warm and 7 ms cold on a quiet machine


def test_only_so_many_voices_keep_their_sockets(server: FakeElevenLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs_pool, "MOST_WANTED", 2)

    async def scenario(voice: ElevenLabsVoice) -> None:
        for name in "abcde":
            await said(voice, voice_id=name)
        await until(lambda: voice.sockets == 2)
        await said(voice, voice_id="e")
        assert len(server.received) == 5, "those used last"
        await said(voice, voice_id="a")
        await until(lambda: voice.sockets == 2)

    with_voice(server.url, scenario)
