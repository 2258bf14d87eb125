from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.phrasing import Clause
from serve_app.conversation.playback import (
    CHUNK_S,
    DUCK_GAIN,
    FADE_S,
    LEAD_S,
    Playback,
    SpeechChunk,
)
from tests.conversation.sounds import CLAUSE, LEVEL, PCM, pieces, playing, sound


def levels(audio: bytes) -> np.ndarray:
    return PCM.decode(audio) / LEVEL


# ---- pacing


def test_nothing_leaves_before_release() -> None:
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    playback.add(CLAUSE, sound(1))
    assert playback.take(10) == []
    assert playback.deadline() is None
    assert not playback.started
    playback.release()
    assert [len(piece.audio) for piece in playback.take(10)] == [1280, 1280]
    assert playback.started


def test_chunks_leave_at_most_a_lead_and_a_chunk_ahead() -> None:
    playback = playing(seconds=2, now=100)
    sent = 2 * CHUNK_S
    for at, piece in pieces(playback):
        sent += PCM.seconds(len(piece.audio))
        assert LEAD_S < 100 + sent - at <= LEAD_S + CHUNK_S + 1e-9
    assert sent == pytest.approx(2)


def test_a_late_call_catches_up() -> None:
    playback = playing(now=100)
    caught_up = playback.take(101)
    assert sum(len(piece.audio) for piece in caught_up) == PCM.bytes_for(2 * CHUNK_S)
    assert playback.deadline() == pytest.approx(101 + 2 * CHUNK_S - LEAD_S)


def test_the_end_is_waited_for() -> None:
    playback = playing(seconds=0.05, now=100)
    assert playback.drained
    assert not playback.finished(100.04)
    assert playback.deadline() == pytest.approx(100.05)
    assert playback.finished(100.05)


def test_an_answer_without_sound_is_over_at_once() -> None:
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    playback.whole(CLAUSE)
    playback.close()
    playback.release()
    assert playback.take(1) == []
    assert playback.finished(1)
    assert not playback.started


def test_it_waits_for_a_clause_whose_sound_is_late() -> None:
    playback = Playback(PCM)
    first, second = Clause(0, 4, "Olá."), Clause(5, 9, "Bem.")
    playback.expect(first)
    playback.expect(second)
    playback.add(second, sound(0.02))
    playback.release()
    assert playback.take(1) == []
    assert playback.deadline() is None
    assert playback.unfinished == 2
    playback.add(first, sound(0.02))
    playback.whole(first)
    assert [(piece.start, piece.end) for piece in playback.take(1)] == [(0, 4), (5, 5)]
    assert playback.unfinished == 1


def test_sound_of_a_clause_that_is_not_expected_is_dropped() -> None:
    playback = playing()
    stranger = Clause(50, 53, "não")
    playback.add(stranger, sound(1))
    playback.whole(stranger)
    assert playback.unfinished == 1


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["pcm_16000", "ulaw_8000", "pcm_22050"]),
    st.lists(st.lists(st.integers(0, 2000), max_size=4), min_size=1, max_size=4),
    st.lists(st.floats(0, 0.3), max_size=20),
)
def test_no_sound_is_lost_doubled_or_moved(name: str, clauses: list[list[int]], waits: list[float]) -> None:
    """Clauses arrive chunk by chunk, one before each call of `take`, at any pace."""
    audio_format = AudioFormat.parse(name)
    noise = np.random.default_rng(1)
    playback = Playback(audio_format)
    arrivals: list[tuple[Clause, bytes | None]] = []
    for number, lengths in enumerate(clauses):
        clause = Clause(10 * number, 10 * number + 9, "uma frase")
        playback.expect(clause)
        arrivals += [(clause, noise.bytes(length * audio_format.bytes_per_sample)) for length in lengths]
        arrivals.append((clause, None))
    playback.release()
    left, heard, now = b"", [0], 50.0
    for arrival, wait in zip_longest(arrivals, waits, fillvalue=None):
        match arrival:
            case clause, None:
                playback.whole(clause)
            case clause, audio:
                playback.add(clause, SpeechChunk(audio))
        now += wait or 0.0
        left += b"".join(piece.audio for piece in playback.take(now))
        heard.append(playback.heard(now))
    playback.close()
    for at, piece in pieces(playback):
        left, now = left + piece.audio, max(now, at)
        heard.append(playback.heard(now))
    end = max(playback.deadline() or 0, now)
    assert playback.finished(end)
    assert left == b"".join(audio for _, audio in arrivals if audio)
    assert heard == sorted(heard)
    spoken = [10 * number + 9 for number, lengths in enumerate(clauses) if any(lengths)]
    assert playback.heard(end) == max(spoken, default=0)


# ---- loudness


def test_it_ducks_by_12_db_within_a_chunk_and_swells_back_in_three() -> None:
    playback = playing()
    leaving = (levels(piece.audio) for _, piece in pieces(playback))
    assert np.all(next(leaving) == 1)
    playback.duck()
    ducking = next(leaving)
    assert ducking[0] == 1
    assert np.all(np.diff(ducking) <= 0)
    assert np.allclose(next(leaving), DUCK_GAIN, atol=1e-3)
    assert 20 * np.log10(DUCK_GAIN) == pytest.approx(-12, abs=0.1)
    playback.swell()
    swelling = np.concatenate([next(leaving), next(leaving), next(leaving)])
    assert swelling[0] == pytest.approx(DUCK_GAIN, abs=1e-3)
    assert np.all(np.diff(swelling) >= 0)
    assert np.max(np.abs(np.diff(swelling))) < 0.002, "no click"
    assert swelling[[640, 1280]] == pytest.approx([0.5, 0.75], abs=1e-3), "in steps"
    assert np.all(next(leaving) == 1)


def test_at_normal_level_sound_is_untouched() -> None:
    noise = np.random.default_rng(1).bytes(2 * 16_000)
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    playback.add(CLAUSE, SpeechChunk(noise))
    playback.release()
    assert b"".join(piece.audio for piece in playback.take(1)) == noise[: PCM.bytes_for(0.08)]


@pytest.mark.parametrize("ducked", [False, True])
def test_a_voice_cut_off_fades_within_60_ms(*, ducked: bool) -> None:
    playback = playing()
    if ducked:
        playback.duck()
        playback.take(101)
    faded = playback.fade(101)
    assert faded is not None
    fade = levels(faded.audio)
    assert len(fade) == FADE_S * PCM.rate
    assert fade[0] == pytest.approx(DUCK_GAIN if ducked else 1, abs=1e-3)
    assert np.all(np.diff(fade) <= 0)
    assert fade[-1] < 0.002
    assert playback.fade(101) is None, "once"
    assert playback.take(200) == []


@pytest.mark.parametrize(("later_s", "level"), [(0.1, DUCK_GAIN), (0.6, 1)])
def test_a_fade_is_no_louder_than_what_may_have_been_heard_last(later_s: float, level: float) -> None:
    """The client drops what it has not played: the voice may have swelled back in that."""
    playback = playing()
    playback.duck()
    playback.take(101)
    playback.swell()
    for step in range(1, round(later_s / 0.04) + 1):
        playback.take(101 + 0.04 * step)
    fade = playback.fade(101 + later_s)
    assert fade is not None
    assert levels(fade.audio)[0] == pytest.approx(level, abs=1e-3)


def test_with_little_left_the_fade_is_that_little() -> None:
    fade = playing(seconds=0.1).fade(100)
    assert fade is not None
    assert PCM.seconds(len(fade.audio)) == pytest.approx(0.02)
    assert levels(fade.audio)[-1] < 0.01


def test_nothing_that_was_not_released_is_faded() -> None:
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    playback.add(CLAUSE, sound(1))
    assert playback.fade(100) is None


# ---- a connection that was lost


def played(until: float) -> tuple[Playback, float]:
    """Two seconds of sound, and how much of it has left by then."""
    playback = playing(seconds=2, now=0.0)
    left = 2 * CHUNK_S
    while (deadline := playback.deadline()) is not None and deadline <= until and not playback.drained:
        left += sum(PCM.seconds(len(piece.audio)) for piece in playback.take(deadline))
    return playback, left


def test_what_was_lost_is_heard_when_it_has_left_again() -> None:
    playback, _ = played(until=0.8)
    heard = playback.heard(0.8)
    playback.rewind(0.48, 0.8)
    assert playback.heard(0.8) < heard
    assert playback.plays_until == pytest.approx(0.8 + 0.48)
    assert playback.take(1.1) == [], "the client has enough to play"
    assert playback.heard(0.8 + 0.47) >= heard


def test_of_nothing_lost_nothing_changes() -> None:
    playback, _ = played(until=0.8)
    before = playback.plays_until, playback.heard(0.8)
    playback.rewind(0.0, 0.8)
    assert (playback.plays_until, playback.heard(0.8)) == before


@given(st.floats(0.0, 3.0), st.floats(0.01, 2.5))
def test_however_much_was_lost_the_rest_is_heard_to_its_end(at: float, lost_s: float) -> None:
    playback, left = played(until=at)
    playback.rewind(lost_s, at)
    assert playback.plays_until - at >= min(left, lost_s) - 1e-6
    left += sum(PCM.seconds(len(piece.audio)) for _, piece in pieces(playback))
    assert left == pytest.approx(2)
    assert playback.heard(playback.plays_until + 1) == len(CLAUSE.text)
