"""The local voice, with the real espeak-ng in its real child."""

import asyncio
import importlib.util
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deployments.voices.espeak import EspeakVoice, espeak_voices
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import SpeechChunk, Voice

PORTUGUESE = "Olá, tudo bem? Eu sou a Ana."
ENGLISH = "Hello, how are you today?"
LONG = "Esta é uma frase bastante comprida que ninguém quer ouvir até o fim. " * 40

EIGHT_KHZ = Voice(agent_output_audio_format="pcm_8000")

Say = Callable[..., list[SpeechChunk]]


async def said(voice: EspeakVoice, text: str, language: str = "en", **settings: Any) -> list[SpeechChunk]:
    """`settings` are fields of a Voice."""
    return [chunk async for chunk in voice.speak(text, language=language, voice=Voice(**settings))]


@pytest.fixture(scope="module")
def say() -> Iterator[Say]:
    """`said` by one voice that all tests share which leave it alive."""
    voice = EspeakVoice()
    with asyncio.Runner() as runner:
        yield lambda *args, **kwargs: runner.run(said(voice, *args, **kwargs))
        runner.run(voice.aclose())


def with_a_voice_of_its_own(scenario: Callable[[EspeakVoice], Awaitable[None]]) -> None:
    async def main() -> None:
        voice = EspeakVoice()
        try:
            await scenario(voice)
        finally:
            await voice.aclose()

    asyncio.run(main())


def samples(chunks: list[SpeechChunk], audio_format: str = "pcm_16000") -> Samples:
    return AudioFormat.parse(audio_format).decode(b"".join(chunk.audio for chunk in chunks))


def aligned_text(chunks: list[SpeechChunk]) -> str:
    return "".join("".join(chunk.alignment.chars) for chunk in chunks if chunk.alignment)


def starts_ms(chunks: list[SpeechChunk]) -> list[float]:
    """Of each character, from the first sample of all (16 kHz)."""
    starts, begins_ms = [], 0.0
    for chunk in chunks:
        assert chunk.alignment
        starts += [begins_ms + at_ms for at_ms in chunk.alignment.starts_ms]
        begins_ms += len(chunk.audio) / 32
    return starts


def spectrogram(chunks: list[SpeechChunk]) -> NDArray[np.float32]:
    """Log level of 62.5 Hz bands in frames of 16 ms: renderings of one text differ little, those of two a lot."""
    pcm = samples(chunks).astype(np.float32)
    frames = pcm[: len(pcm) // 256 * 256].reshape(-1, 256) * np.hanning(256)
    level: NDArray[np.float32] = np.log(np.abs(np.fft.rfft(frames, axis=1)) + 100)
    return level


def is_clean(chunks: list[SpeechChunk], reference: list[SpeechChunk]) -> bool:
    """Is this another rendering of the reference, and nothing else?"""
    heard, expected = spectrogram(chunks), spectrogram(reference)
    if abs(len(heard) - len(expected)) > 3:
        return False
    length = min(len(heard), len(expected))
    return bool(np.abs(heard[:length] - expected[:length]).mean() < 0.5)


def test_speed_is_heard(say: Say) -> None:
    slow, usual, fast = (len(samples(say(PORTUGUESE, "pt-BR", speed=speed))) for speed in (0.7, 1.0, 1.2))
    assert slow / usual == pytest.approx(1 / 0.7, rel=0.1)
    assert fast / usual == pytest.approx(1 / 1.2, rel=0.1)


def test_chunks_start_short_and_end_in_a_pause(say: Say) -> None:
    chunks = say(PORTUGUESE, "pt-BR")
    lengths_ms = [len(chunk.audio) / 32 for chunk in chunks]
    assert lengths_ms[0] == 60
    assert set(lengths_ms[1:-1]) == {160}
    voiced = np.flatnonzero(np.abs(samples(chunks)) > 200) / 16000
    assert voiced[0] < 0.04
    assert 0.1 < len(samples(chunks)) / 16000 - voiced[-1] < 0.2


def test_a_word_is_aligned_with_its_sound(say: Say) -> None:
    chunks = say("One. Two.")
    loud = np.flatnonzero(np.abs(samples(chunks)) > 300)
    pause = np.flatnonzero(np.diff(loud) > 3200)[0]  # 200 ms of quiet are the full stop; "T" begins silently
    assert abs(starts_ms(chunks)["One. Two.".index("T")] - loud[pause + 1] / 16) < 80


def test_numbers_are_written_out_and_aligned_as_they_were_written(say: Say) -> None:
    text = "São R$ 5,00 por mês."
    chunks = say(text, "pt-BR")
    assert is_clean(chunks, say("São cinco reais por mês.", "pt-BR"))
    assert not is_clean(chunks, say("São por mês.", "pt-BR"))
    assert aligned_text(chunks) == text
    starts = starts_ms(chunks)
    amount, after = text.index("R$"), text.index("por")
    alone_ms = len(samples(say("cinco reais", "pt-BR"))) / 16 - 120
    assert starts[after] - starts[amount] == pytest.approx(alone_ms, rel=0.3)
    steps = np.diff(starts[amount : after + 1])
    assert max(steps) - min(steps) <= 2  # its characters share its time


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\x00\x1b"])
def test_nothing_to_say_is_no_audio(say: Say, text: str) -> None:
    assert say(text) == []


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(), min_size=1, max_size=40))
@pytest.mark.parametrize("language", ["en", "pt"])
def test_any_text_is_survived_and_aligned_once(say: Say, language: str, text: str) -> None:
    chunks = say(text, language)
    assert aligned_text(chunks) == (text if chunks else "")


def test_voices_by_language_and_by_name() -> None:
    assert espeak_voices("pt-PT", "") == ("pt-br", "pt", "en-us")
    assert espeak_voices("EN", "pt-br+f2") == ("pt-br+f2", "en-us", "en", "en-us")
    assert espeak_voices("es-MX", "EXAVITQu4vr4xnSDxMaL") == ("es-mx", "es", "en-us")
    assert espeak_voices("../../etc", "/etc/passwd") == ("en-us",)


def test_a_voice_that_espeak_does_not_have_falls_back(say: Say) -> None:
    english, british, spanish = say("hola"), say("hola", "en-gb"), say("hola", "es-MX")
    assert is_clean(say("hola", "xx-YY"), english)
    assert is_clean(say("hola", voice_id="EXAVITQu4vr4xnSDxMaL"), english)
    assert is_clean(say("hola", voice_id="es"), spanish)
    assert not is_clean(spanish, english)
    assert british


def test_a_format_there_is_not_is_told(say: Say) -> None:
    with pytest.raises(SpeechError, match="mp3_44100"):
        say("hi", agent_output_audio_format="mp3_44100")


def test_speakers_side_by_side_do_not_mix(say: Say) -> None:
    texts = [(PORTUGUESE, "pt-BR"), (ENGLISH, "en")] * 10
    alone = {text: say(*text) for text in texts}

    async def scenario(voice: EspeakVoice) -> None:
        spoken = await asyncio.gather(*(said(voice, *text) for text in texts))
        for chunks, text in zip(spoken, texts, strict=True):
            assert is_clean(chunks, alone[text])
            assert aligned_text(chunks) == text[0]

    with_a_voice_of_its_own(scenario)


def test_what_is_broken_off_does_not_leak_into_the_next(say: Say) -> None:
    undisturbed = say(ENGLISH)

    async def scenario(voice: EspeakVoice) -> None:
        for _ in range(5):
            async with aclosing(voice.speak(LONG, language="pt", voice=Voice())) as chunks:
                await anext(chunks)
                await anext(chunks)
            assert is_clean(await said(voice, ENGLISH), undisturbed)

    with_a_voice_of_its_own(scenario)


def test_what_is_broken_off_stops_in_the_child() -> None:
    """Half an hour of speech takes it a second or more; the next clause does not wait for that."""

    async def scenario(voice: EspeakVoice) -> None:
        await said(voice, "warm")
        async with aclosing(voice.speak(LONG * 10, language="pt", voice=EIGHT_KHZ)) as chunks:
            await anext(chunks)
        cpu_s = _cpu_seconds(_child_of(voice))
        await said(voice, "hi")
        assert _cpu_seconds(_child_of(voice)) - cpu_s < 0.3

    with_a_voice_of_its_own(scenario)


def test_a_cancelled_task_leaves_the_voice_usable(say: Say) -> None:
    undisturbed = say(ENGLISH)

    async def scenario(voice: EspeakVoice) -> None:
        speaking = asyncio.create_task(said(voice, LONG, "pt"))
        await said(voice, "hi")
        speaking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await speaking
        assert is_clean(await said(voice, ENGLISH), undisturbed)

    with_a_voice_of_its_own(scenario)


@pytest.mark.parametrize("steps", range(6))
def test_a_caller_who_leaves_at_the_very_first_leaves_the_voice_usable(steps: int) -> None:
    async def scenario(voice: EspeakVoice) -> None:
        first = asyncio.create_task(said(voice, ENGLISH))
        for _ in range(steps):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        assert samples(await said(voice, ENGLISH)).any()

    with_a_voice_of_its_own(scenario)


def test_without_espeak_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="pip install espeakng-loader"):
        EspeakVoice()


def _child_of(voice: EspeakVoice) -> int:
    return voice._process._child._process.pid


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        user, system = stat.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
