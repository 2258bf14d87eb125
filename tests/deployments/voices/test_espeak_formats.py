"""The local voice in every format: of the length, at the level and without the clicks of the original."""

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deployments.voices.clause_audio import CLAUSE_PAUSE_S
from deployments.voices.espeak import EspeakVoice, _Clause
from deployments.voices.voice_child import Sound
from deployments.voices.written_out import write_out
from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat, Samples, level_db
from serve_app.audio.resample import Resampler
from serve_app.ports import SpeechChunk, Voice

TEXT = "Olá, tudo bem? Eu sou a Ana."
AMPLITUDE = 10_000
SAMPLE_RATE = 22_050  # of espeak-ng

each_format = pytest.mark.parametrize("audio_format", SUPPORTED_FORMATS, ids=lambda audio_format: audio_format.name)


def spoken(samples: Samples, sizes: list[int], audio_format: AudioFormat) -> Samples:
    """What becomes of the child's `samples` when it sends so many of them at a time, and of the pause after them."""
    clause = _Clause(TEXT, write_out(TEXT, "pt-BR"), SAMPLE_RATE, audio_format)
    chunks: list[SpeechChunk] = []
    for start, end in zip(np.cumsum([0, *sizes]), np.cumsum([*sizes, len(samples)]), strict=True):
        word = (min(len(TEXT), int(start) // 1000), int(start))
        chunks += clause.add(Sound(0, samples[start:end].tobytes(), (word,)))
    chunks += clause.end()
    return audio_format.decode(b"".join(chunk.audio for chunk in chunks))


def pause(audio_format: AudioFormat) -> int:
    return round(CLAUSE_PAUSE_S * audio_format.rate)


def rounding(audio_format: AudioFormat, samples: NDArray[Any]) -> NDArray[np.float64]:
    """What may be wrong with each sample: soxr's dither, and in mu-law a step, 1/16 of the biased value at most."""
    dither = np.full(len(samples), 4.0)
    return dither if audio_format.codec == "pcm" else dither + (np.abs(samples.astype(np.float64)) + 132) / 16


@each_format
def test_a_tone_stays_a_pure_tone_of_its_length_and_level(audio_format: AudioFormat) -> None:
    def tone(rate: int) -> Samples:
        wave: Samples = np.rint(AMPLITUDE * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
        return wave

    heard = spoken(tone(SAMPLE_RATE), [1323] * 16, audio_format)
    assert abs(len(heard) - pause(audio_format) - audio_format.rate) <= 2
    assert not heard[-pause(audio_format) :].any()
    edge = audio_format.rate // 50  # the tone begins and ends abruptly, which rings
    inner = heard[edge : audio_format.rate - edge].astype(np.float64)
    assert level_db(inner.astype(np.int16)) == pytest.approx(level_db(tone(SAMPLE_RATE)), abs=0.1)
    turns = 2 * np.pi * 440 * np.arange(len(inner)) / audio_format.rate
    waves = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    rest = inner - waves @ np.linalg.lstsq(waves, inner)[0]
    # A sample lost or doubled would leave thousands.
    assert np.all(np.abs(rest) <= rounding(audio_format, inner))


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 3000), max_size=12), seed=st.integers(0, 99))
@each_format
def test_however_it_comes_cut_it_sounds_like_the_whole(audio_format: AudioFormat, sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-AMPLITUDE, AMPLITUDE, sum(sizes) + 500, np.int16)
    resampler = Resampler(SAMPLE_RATE, audio_format.rate)
    whole = np.concatenate([resampler.process(samples), resampler.flush()])
    heard = spoken(samples, sizes, audio_format)
    error = np.abs(heard[: -pause(audio_format)].astype(np.int32) - whole)
    assert np.all(error <= rounding(audio_format, whole))


def test_every_format_lasts_as_long_and_is_as_loud() -> None:
    async def main() -> dict[AudioFormat, list[SpeechChunk]]:
        voice = EspeakVoice()
        said = {}
        for audio_format in SUPPORTED_FORMATS:
            asked = Voice(agent_output_audio_format=audio_format.name)
            said[audio_format] = [chunk async for chunk in voice.speak(TEXT, language="pt-BR", voice=asked)]
        await voice.aclose()
        return said

    samples = {}
    for audio_format, chunks in asyncio.run(main()).items():
        samples[audio_format] = audio_format.decode(b"".join(chunk.audio for chunk in chunks))
        assert "".join("".join(chunk.alignment.chars) for chunk in chunks if chunk.alignment) == TEXT
    seconds = [len(heard) / audio_format.rate for audio_format, heard in samples.items()]
    levels = [level_db(heard) for heard in samples.values()]
    assert 1 < min(seconds) <= max(seconds) < 1.05 * min(seconds) < 3
    assert -30 < min(levels) <= max(levels) < min(levels) + 1
