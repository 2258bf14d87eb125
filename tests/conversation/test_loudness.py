import pytest

from serve_app.audio.detector import Frame
from serve_app.conversation.loudness import Loudness
from serve_app.conversation.overlap import FAINT_DB

USUAL_DB = -25.0


def frame(level: float) -> Frame:
    return Frame(320, loud=True, gate=True, voiced=True, onset=None, level=level)


def known(level: float = USUAL_DB) -> Loudness:
    loudness = Loudness()
    loudness.begin()
    loudness.note(frame(level))
    return loudness


def test_the_first_to_speak_is_the_caller() -> None:
    loudness = known()
    assert (loudness.usual_db, loudness.faint) == (USUAL_DB, False)


@pytest.mark.parametrize(("below_db", "faint"), [(FAINT_DB + 1, True), (FAINT_DB - 1, False)])
def test_from_then_on_speech_is_faint_until_it_is_as_loud(below_db: float, faint: bool) -> None:
    loudness = known()
    loudness.begin()
    assert loudness.faint
    loudness.note(frame(USUAL_DB - below_db))
    assert loudness.faint is faint


def test_who_is_loud_once_is_the_caller_for_this_speech() -> None:
    loudness = known()
    loudness.begin()
    for level in (USUAL_DB, USUAL_DB - 2 * FAINT_DB):
        loudness.note(frame(level))
    assert not loudness.faint


def test_the_usual_level_follows_the_caller_and_nobody_else() -> None:
    loudness = known()
    for _ in range(100):
        loudness.note(frame(USUAL_DB - 5))
    assert loudness.usual_db == pytest.approx(USUAL_DB - 5, abs=0.1)
    loudness.begin()
    for _ in range(100):
        loudness.note(frame(USUAL_DB - 5 - 2 * FAINT_DB))
    assert loudness.usual_db == pytest.approx(USUAL_DB - 5, abs=0.1)
