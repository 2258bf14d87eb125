import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.voices.chunks import LONGEST_S, SHORTEST_S, Chunks, in_chunks, parsed_format
from serve_app.audio.pcm import SUPPORTED_FORMATS, AudioFormat
from serve_app.errors import SpeechError
from serve_app.ports import Alignment, Fallback, SpeechChunk

PCM = AudioFormat("pcm", 16000)
FALLBACK = Fallback("tts", "one", "it fell silent", "another")


def silence(seconds: float, text: str = "") -> SpeechChunk:
    """Its characters begin together, in the middle."""
    count = len(text)
    timing = Alignment(tuple(text), (round(seconds * 500),) * count, (10,) * count) if text else None
    return SpeechChunk(bytes(PCM.bytes_for(seconds)), timing)


def cut(*lengths_s: float) -> list[float]:
    chunks = Chunks(PCM)
    pieces = [piece for length_s in lengths_s for piece in chunks.add(silence(length_s))]
    return [PCM.seconds(len(piece.audio)) for piece in [*pieces, *chunks.end()]]


def test_small_chunks_are_joined_but_for_the_first() -> None:
    assert cut(0.1, *[0.04] * 6) == pytest.approx([0.1, 0.12, 0.12])


def test_large_chunks_are_cut() -> None:
    assert cut(1.0) == pytest.approx([0.2] * 5)
    assert cut(0.2, 0.5) == pytest.approx([0.2, 0.2, 0.2, 0.1])


def test_audio_that_comes_twice_as_fast_as_it_sounds_leaves_before_the_caller_runs_out_of_it() -> None:
    chunks, plays_until = Chunks(PCM), 0.0
    for arrival in range(100):
        now = arrival * 0.01
        for piece in chunks.add(silence(0.02)):
            assert now <= plays_until
            plays_until += PCM.seconds(len(piece.audio))
    assert plays_until > 1.8


def test_a_character_leaves_with_the_audio_in_which_it_begins() -> None:
    chunks = Chunks(PCM)
    pieces = [*chunks.add(silence(0.15, "a")), *chunks.add(silence(0.08, "b")), *chunks.add(silence(0.08, "c"))]
    assert [piece.alignment for piece in pieces] == [
        Alignment(("a",), (75,), (10,)),
        Alignment(("b", "c"), (40, 120), (10, 10)),
    ]


def test_what_is_timed_without_audio_is_not_lost() -> None:
    chunks = Chunks(PCM)
    assert chunks.add(SpeechChunk(b"", Alignment((" ",), (0,), (0,)))) == []
    assert chunks.end() == [SpeechChunk(b"", Alignment((" ",), (0,), (0,)))]
    assert chunks.end() == []


@st.composite
def speech(draw: st.DrawFn) -> tuple[AudioFormat, list[SpeechChunk]]:
    """Chunks of any number of bytes, half samples too, with characters that begin in them, or later than they end."""
    audio_format = draw(st.sampled_from(SUPPORTED_FORMATS))
    chunks, count = [], 0
    for size in draw(st.lists(st.integers(0, 40_000), max_size=12)):
        audio = draw(st.randoms(use_true_random=False)).randbytes(size)
        starts = tuple(sorted(draw(st.lists(st.integers(0, round(audio_format.seconds(size) * 1000) + 5), max_size=6))))
        chars = tuple(chr(0x4E00 + count + i) for i in range(len(starts)))
        count += len(starts)
        timing = Alignment(chars, starts, tuple(range(len(starts)))) if draw(st.booleans()) or starts else None
        chunks.append(SpeechChunk(audio, timing))
    return audio_format, chunks


def timed(audio_format: AudioFormat, chunks: list[SpeechChunk]) -> list[tuple[str, float, int]]:
    """Every character, when it begins (ms from the first sample of all), and how long it lasts."""
    result, came_ms = [], 0.0
    for chunk in chunks:
        if alignment := chunk.alignment:
            columns = zip(alignment.chars, alignment.starts_ms, alignment.durations_ms, strict=True)
            result += [(char, came_ms + start, duration) for char, start, duration in columns]
        came_ms += audio_format.seconds(len(chunk.audio)) * 1000
    return result


@given(speech())
def test_neither_audio_nor_timing_is_changed(given_speech: tuple[AudioFormat, list[SpeechChunk]]) -> None:
    audio_format, chunks = given_speech
    joiner = Chunks(audio_format)
    added = [piece for chunk in chunks for piece in joiner.add(chunk)]
    pieces = [*added, *joiner.end()]
    assert b"".join(piece.audio for piece in pieces) == b"".join(chunk.audio for chunk in chunks)
    before, after = timed(audio_format, chunks), timed(audio_format, pieces)
    assert [(char, duration) for char, _, duration in after] == [(char, duration) for char, _, duration in before]
    assert [at for _, at, _ in after] == pytest.approx([at for _, at, _ in before], abs=0.51)


@given(speech())
def test_sizes(given_speech: tuple[AudioFormat, list[SpeechChunk]]) -> None:
    audio_format, chunks = given_speech
    joiner = Chunks(audio_format)
    left = 0
    for piece in (piece for chunk in chunks for piece in joiner.add(chunk)):
        assert len(piece.audio) % audio_format.bytes_per_sample == 0
        assert len(piece.audio) <= audio_format.bytes_for(LONGEST_S)
        assert len(piece.audio) >= min(left, audio_format.bytes_for(SHORTEST_S))
        left += len(piece.audio)


def test_what_is_held_comes_before_a_fallback_and_before_a_failure() -> None:
    async def failing() -> AsyncGenerator[SpeechChunk | Fallback, None]:
        yield silence(0.2)
        yield silence(0.05)
        yield FALLBACK
        yield silence(0.07)
        raise SpeechError("no more")

    async def main() -> list[SpeechChunk | Fallback]:
        speech = in_chunks(failing(), PCM)
        got = [await anext(speech) for _ in range(4)]
        with pytest.raises(SpeechError, match="no more"):
            await anext(speech)
        return got

    assert asyncio.run(main()) == [silence(0.2), silence(0.05), FALLBACK, silence(0.07)]


def test_an_unknown_format_is_a_speech_error() -> None:
    assert parsed_format("ulaw_8000") == AudioFormat("ulaw", 8000)
    with pytest.raises(SpeechError, match="'mp3_44100' is not supported"):
        parsed_format("mp3_44100")
