import asyncio

import pytest

from tests.faults.soak import CALLS, TURNS, Soaked, soak


@pytest.fixture(scope="module")
def soaked() -> Soaked:
    return asyncio.run(soak())


def test_every_turn_is_answered(soaked: Soaked) -> None:
    assert len(soaked.turns) == TURNS
    assert soaked.unanswered == []
    assert soaked.count("none_response") == 0
    assert soaked.alive == CALLS


def test_there_were_faults(soaked: Soaked) -> None:
    assert {data["stage"] for turn in soaked.turns for data in turn.of("fallback")} == {"stt", "llm", "tts"}
    assert soaked.faults > TURNS * 0.05


def test_nothing_is_left_open(soaked: Soaked) -> None:
    """A file of an earlier test may have been closed meanwhile."""
    assert soaked.after.tasks == soaked.before.tasks
    assert soaked.after.files <= soaked.before.files
    assert soaked.left == 0


def test_hardly_anybody_waits_for_long(soaked: Soaked) -> None:
    """Two faults may meet in one turn."""
    assert soaked.silences[round(0.95 * TURNS)] < 2
