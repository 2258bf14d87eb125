import pytest

from serve_app.conversation.phrasing import Clause
from serve_app.conversation.playback import (
    CHARS_PER_SECOND,
    Alignment,
    Playback,
    SpeechChunk,
)
from tests.conversation.sounds import CLAUSE, PCM, pieces, playing, sound


def listen(playback: Playback, seconds: float) -> list[int]:
    """What has been heard, every 10 ms from 100 s on, while it plays."""
    heard = []
    for ms in range(0, round(seconds * 1000) + 1, 10):
        now = 100 + ms / 1000
        playback.take(now)
        heard.append(playback.heard(now))
    return heard


def test_heard_follows_the_clock_to_the_end() -> None:
    heard = listen(playing(seconds=1.2, now=100), 1.3)
    assert heard[0] == 0
    assert heard == sorted(heard)
    assert heard[60] in (5, 6), "half of the time, half of the text"
    assert heard[119] < 12
    assert heard[121] == 12


def test_a_clause_known_to_be_whole_only_after_it_left_is_heard_to_its_end() -> None:
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    playback.add(CLAUSE, sound(0.3))
    playback.release()
    assert listen(playback, 0.4)[-1] < 12
    playback.whole(CLAUSE)
    assert playback.heard(100.41) == 12


def test_what_was_heard_stays_heard_when_the_clause_turns_out_longer() -> None:
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    playback.add(CLAUSE, sound(4))
    playback.release()
    assert listen(playback, 0.5)[-1] == 7
    playback.whole(CLAUSE)
    assert playback.heard(100.51) == 7


def test_nothing_is_heard_of_what_has_not_left() -> None:
    playback = playing(seconds=12, now=100)
    assert playback.heard(150) == 0, "80 ms of a character a second"


def test_aligned_text_is_heard_as_it_sounds() -> None:
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    slow_start = tuple(range(900, 1500, 50))
    playback.add(CLAUSE, SpeechChunk(sound(2).audio, Alignment(tuple(CLAUSE.text), slow_start, (50,) * 12)))
    playback.whole(CLAUSE)
    playback.release()
    heard = listen(playback, 2.1)
    assert heard[85] == 0
    assert 5 <= heard[120] <= 7
    assert heard[210] == 12


def test_alignment_of_a_later_chunk_counts_from_that_chunk() -> None:
    playback = Playback(PCM)
    playback.expect(CLAUSE)
    for text in ("quero ", "um chá"):
        times = tuple(range(0, 600, 100))
        playback.add(CLAUSE, SpeechChunk(sound(0.6).audio, Alignment(tuple(text), times, (100,) * 6)))
    playback.whole(CLAUSE)
    playback.close()
    playback.release()
    spans = [(piece.start, piece.end) for piece in playback.take(1)] + [(p.start, p.end) for _, p in pieces(playback)]
    assert spans[0][0] == 0
    assert spans[-1][1] == 12
    assert [end for _, end in spans][14] == 6, "0.6 s have left: the first chunk's text"


def test_until_its_length_is_known_a_rate_of_speech_is_assumed() -> None:
    playback = Playback(PCM)
    clause = Clause(5, 105, "a" * 100)
    playback.expect(clause)
    playback.add(clause, sound(60))
    playback.release()
    assert listen(playback, 1.0)[-1] == pytest.approx(5 + CHARS_PER_SECOND, abs=1)
