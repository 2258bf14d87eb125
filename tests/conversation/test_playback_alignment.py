"""Which characters go with which piece of sound, and when in it they begin."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.phrasing import Clause
from serve_app.conversation.playback import Alignment, Piece, Playback, SpeechChunk
from tests.conversation.sounds import CLAUSE, PCM, pieces, playing, sound


def aligned(samples: int, text: str, starts_ms: list[int], audio_format: AudioFormat = PCM) -> SpeechChunk:
    audio = bytes(samples * audio_format.bytes_per_sample)
    return SpeechChunk(audio, Alignment(tuple(text), tuple(starts_ms), (70,) * len(text)))


def released(*clauses: Clause, audio_format: AudioFormat = PCM) -> Playback:
    playback = Playback(audio_format)
    for clause in clauses:
        playback.expect(clause)
    playback.release()
    return playback


def test_characters_go_with_the_piece_that_they_begin_in() -> None:
    playback = released(CLAUSE)
    playback.add(CLAUSE, aligned(2400, "quero", [0, 39, 40, 41, 130]))
    playback.whole(CLAUSE)
    left = [*playback.take(100), *(piece for _, piece in pieces(playback))]
    assert [piece.alignment for piece in left] == [
        Alignment(("q", "u"), (0, 39), (70, 70)),
        Alignment(("e", "r"), (0, 1), (70, 70)),
        None,
        Alignment(("o",), (10,), (70,)),
    ]


def test_a_voice_that_gives_no_alignment_has_none() -> None:
    assert all(piece.alignment is None for _, piece in pieces(playing()))


def test_what_is_timed_beyond_its_sound_goes_with_the_end_of_it() -> None:
    playback = released(CLAUSE)
    playback.add(CLAUSE, aligned(480, "sim", [0, 30, 90]))  # 30 ms
    [piece] = playback.take(100)
    assert piece.alignment == Alignment(("s", "i", "m"), (0, 30, 30), (70, 70, 70))


def test_a_fade_has_the_characters_that_it_cuts_off() -> None:
    playback = released(CLAUSE)
    playback.add(CLAUSE, aligned(16_000, "quero", [0, 90, 110, 139, 140]))
    assert [piece.alignment and piece.alignment.chars for piece in playback.take(100)] == [("q",), None]
    fade = playback.fade(100)
    assert fade is not None
    assert fade.alignment == Alignment(("u", "e", "r"), (10, 30, 59), (70, 70, 70))


def test_ducked_sound_keeps_its_characters() -> None:
    playback = released(CLAUSE)
    playback.duck()
    playback.add(CLAUSE, SpeechChunk(sound(0.04).audio, Alignment(("a",), (5,), (30,))))
    [piece] = playback.take(100)
    assert piece.alignment == Alignment(("a",), (5,), (30,))


@st.composite
def chunks(draw: st.DrawFn) -> tuple[int, str, list[int]]:
    """Samples, and characters that begin anywhere in them; now and then beyond, or out of order."""
    samples = draw(st.integers(1, 4000))
    end_ms = samples // 16
    starts = draw(st.lists(st.integers(0, end_ms), max_size=8).map(sorted) | st.lists(st.integers(-50, end_ms + 200)))
    return samples, draw(st.text(min_size=len(starts), max_size=len(starts))), starts


@pytest.mark.parametrize("name", ["pcm_16000", "pcm_22050", "pcm_44100", "ulaw_8000"])
@settings(max_examples=60, deadline=None)
@given(clauses=st.lists(st.lists(chunks(), max_size=4), max_size=3), eager=st.booleans(), told=st.booleans())
def test_every_character_leaves_once_in_order_and_within_its_piece(
    name: str, clauses: list[list[tuple[int, str, list[int]]]], *, eager: bool, told: bool
) -> None:
    """`eager`: what has come leaves before more comes. `told`: the voice says that a clause is whole with its sound."""
    audio_format = AudioFormat.parse(name)
    asked = [Clause(100 * number, 100 * number + 9, "uma frase") for number in range(len(clauses))]
    playback = released(*asked, audio_format=audio_format)
    left: list[Piece] = []
    for clause, parts in zip(asked, clauses, strict=True):
        for part in parts:
            playback.add(clause, aligned(*part, audio_format))
            if eager and not (told and part is parts[-1]):
                left += play(playback)
        playback.whole(clause)
        left += play(playback)
    heard = "".join("".join(piece.alignment.chars) for piece in left if piece.alignment)
    assert heard == "".join(text for parts in clauses for _, text, _ in parts)
    for piece in left:
        if piece.alignment:
            assert piece.alignment.chars
            assert len(piece.alignment.chars) == len(piece.alignment.starts_ms) == len(piece.alignment.durations_ms)
            length_ms = audio_format.seconds(len(piece.audio)) * 1000
            assert all(0 <= start <= length_ms for start in piece.alignment.starts_ms)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 299)), min_size=1, max_size=6))
def test_a_character_within_its_sound_keeps_its_time(timed: list[tuple[int, int]]) -> None:
    """One character a chunk, so many ms long."""
    playback = released(CLAUSE)
    expected, came_ms = [], 0
    for length_ms, start_ms in timed:
        start_ms %= length_ms
        playback.add(CLAUSE, aligned(16 * length_ms, "a", [start_ms]))
        expected.append(came_ms + start_ms)
        came_ms += length_ms
    times, played_ms = [], 0.0
    for piece in play(playback):
        if piece.alignment:
            times += [played_ms + start for start in piece.alignment.starts_ms]
        played_ms += PCM.seconds(len(piece.audio)) * 1000
    assert times == pytest.approx(expected, abs=1)


def play(playback: Playback) -> list[Piece]:
    """All that is there, each piece as it becomes due."""
    left = []
    while (deadline := playback.deadline()) is not None and (due := playback.take(deadline)):
        left += due
    return left
