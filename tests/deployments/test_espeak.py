"""The local voice, with the real espeak-ng in its real child."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments import espeak
from deployments.espeak import EspeakVoice, espeak_voices
from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat, Samples, level_db
from serve_app.errors import ConfigurationError, SpeechError
from serve_app.ports import SpeechChunk

PORTUGUESE = "Olá, tudo bem? Eu sou a Ana."
ENGLISH = "Hello, how are you today?"
LONG = "Esta é uma frase bastante comprida que ninguém quer ouvir até o fim. " * 40


@asynccontextmanager
async def opened() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    try:
        yield voice
    finally:
        await voice.aclose()


async def said(
    voice: EspeakVoice, text: str, language: str = "pt-BR", voice_id: str = "", audio_format: str = "pcm_16000"
) -> list[SpeechChunk]:
    chunks = voice.speak(text, language=language, voice_id=voice_id, audio_format=audio_format)
    return [chunk async for chunk in chunks]


def run(scenario: Callable[[EspeakVoice], Awaitable[None]]) -> None:
    async def main() -> None:
        async with opened() as voice:
            await scenario(voice)

    asyncio.run(main())


def samples(chunks: list[SpeechChunk], audio_format: str = "pcm_16000") -> Samples:
    return AudioFormat.parse(audio_format).decode(b"".join(chunk.audio for chunk in chunks))


def aligned_text(chunks: list[SpeechChunk]) -> str:
    return "".join("".join(chunk.alignment.chars) for chunk in chunks if chunk.alignment)


def spectrum(pcm: Samples) -> np.ndarray:
    """Level per band of 62.5 Hz over the whole: alike for two renderings of one sentence, not for two sentences."""
    frames = pcm[: len(pcm) // 256 * 256].reshape(-1, 256).astype(np.float32)
    bands: np.ndarray = np.abs(np.fft.rfft(frames * np.hanning(256), axis=1)).mean(axis=0)
    return bands / np.linalg.norm(bands)


@pytest.mark.parametrize(("text", "language"), [(PORTUGUESE, "pt-BR"), (ENGLISH, "en")])
def test_every_format_lasts_as_long_and_is_audible(text: str, language: str) -> None:
    async def scenario(voice: EspeakVoice) -> None:
        seconds = {}
        for audio_format in SUPPORTED_FORMATS:
            chunks = await said(voice, text, language, audio_format=audio_format.name)
            seconds[audio_format.name] = audio_format.seconds(sum(len(chunk.audio) for chunk in chunks))
            assert level_db(samples(chunks, audio_format.name)) > -30
            assert aligned_text(chunks) == text
        assert 1 < seconds["pcm_22050"] < 3
        assert all(abs(each / seconds["pcm_22050"] - 1) < 0.05 for each in seconds.values())

    run(scenario)


def test_chunks_start_short_and_end_in_a_pause() -> None:
    async def scenario(voice: EspeakVoice) -> None:
        chunks = await said(voice, PORTUGUESE)
        lengths_ms = [len(chunk.audio) / 32 for chunk in chunks]
        assert lengths_ms[0] == 60
        assert set(lengths_ms[1:-1]) == {160}
        voiced = np.flatnonzero(np.abs(samples(chunks)) > 200)
        assert voiced[0] < 0.04 * 16000
        assert 0.1 < (len(samples(chunks)) - voiced[-1]) / 16000 < 0.2

    run(scenario)


def test_a_word_is_aligned_with_its_sound() -> None:
    async def scenario(voice: EspeakVoice) -> None:
        start_ms, begins = 0.0, {}
        text = "one. two."  # the pause after "one" is part of its time
        for chunk in await said(voice, text, "en"):
            assert chunk.alignment
            for char, at_ms in zip(chunk.alignment.chars, chunk.alignment.starts_ms, strict=True):
                begins.setdefault(char, start_ms + at_ms)
            start_ms += len(chunk.audio) / 32
        pcm = samples(await said(voice, text, "en"))
        quiet = np.abs(pcm).reshape(-1, 4).max(axis=1) < 100 if len(pcm) % 4 == 0 else np.abs(pcm) < 100
        assert quiet.any()
        onset_ms = _onset_after_a_pause_ms(pcm)
        assert abs(begins["t"] - onset_ms) < 60

    run(scenario)


def _onset_after_a_pause_ms(pcm: Samples) -> float:
    """When sound comes back after the first 100 ms of quiet inside `pcm`."""
    loud = np.flatnonzero(np.abs(pcm) > 300)
    gaps = np.flatnonzero(np.diff(loud) > 1600)
    return float(loud[gaps[0] + 1]) / 16


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\x00\x1b"])
def test_nothing_to_say_is_no_audio(text: str) -> None:
    async def scenario(voice: EspeakVoice) -> None:
        assert await said(voice, text) == []

    run(scenario)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=40))
def test_any_text_is_survived_and_aligned_once(text: str) -> None:
    async def scenario() -> None:
        chunks = await said(SHARED.voice, text, "en")
        assert aligned_text(chunks) == (text if chunks else "")

    SHARED.run(scenario())


class _Shared:
    """One voice and one loop for the examples of a property: a child for each would take most of the time."""

    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.voice = EspeakVoice()

    def run(self, scenario: Awaitable[None]) -> None:
        self.runner.run(scenario)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.runner.run(self.voice.aclose())
        self.runner.close()


SHARED = _Shared()
