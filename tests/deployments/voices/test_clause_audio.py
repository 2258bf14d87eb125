"""A clause's sound, cut. How it sounds in each format is tested with the voices."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.voices.clause_audio import CHUNK_S, CLAUSE_PAUSE_S, FIRST_CHUNK_S, ClauseAudio, printable
from serve_app.audio.pcm import AudioFormat, Samples

FORMAT = AudioFormat("pcm", 16_000)


def samples(*chunks: bytes) -> Samples:
    return FORMAT.decode(b"".join(chunks))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=12))
def test_it_is_cut_short_first_and_loses_nothing(sizes: list[int]) -> None:
    audio, whole, chunks = ClauseAudio(16_000, FORMAT), np.arange(sum(sizes)).astype(np.int16), []
    for piece in np.split(whole, np.cumsum(sizes)):
        audio.add(piece)
        while audio.enough:
            ends_ms = audio.next_end_ms
            chunks.append(audio.cut())
            assert audio.cut_ms == ends_ms == len(samples(*chunks)) / 16
    assert [len(chunk) / 32_000 for chunk in chunks] == ([FIRST_CHUNK_S] + [CHUNK_S] * len(chunks))[: len(chunks)]
    audio.end()
    while audio.left:
        chunks.append(audio.cut())
    pause = round(CLAUSE_PAUSE_S * 16_000) if len(whole) else 0
    assert np.array_equal(samples(*chunks), np.append(whole, np.zeros(pause, np.int16)))


@given(st.text(st.characters()))
def test_what_is_printable_keeps_its_place(text: str) -> None:
    cleaned = printable(text)
    assert len(cleaned) == len(text)
    assert all(after in (before, " ") for before, after in zip(text, cleaned, strict=True))
    cleaned.encode()  # no lone surrogates


def test_control_characters_become_spaces() -> None:
    assert printable("a\x00b\n\x1bc\ud800ç") == "a b  c ç"
