"""With the kernel's real locks. Two `Places` on one file are as two processes are: locks belong to the open file."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.errors import ConfigurationError
from serve_app.places import MOST_PLACES, Places

HOLDER = """
import sys
from pathlib import Path
from serve_app.places import Places
places = Places(Path(sys.argv[1]))
print(*(places.take("node", 3) for _ in range(4)), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "places"


@pytest.fixture
def others(path: Path) -> Iterator[Places]:
    places = Places(path)
    yield places
    places.close()


@pytest.fixture
def places(path: Path) -> Iterator[Places]:
    places = Places(path)
    yield places
    places.close()


def test_a_room_has_as_many_places_as_are_asked_for_whoever_takes_them(places: Places, others: Places) -> None:
    taken = [who.take("node", 3) for who in (places, others, places, others)]
    assert None not in taken[:3]
    assert len(set(taken)) == 4
    assert taken[3] is None
    assert places.taken("node") == others.taken("node") == 3


def test_rooms_are_apart(places: Places, others: Places) -> None:
    assert places.take("tenant a", 1) is not None
    assert others.take("tenant b", 1) is not None
    assert others.take("tenant a", 1) is None


def test_a_place_that_is_freed_is_another_s(places: Places, others: Places) -> None:
    place = places.take("node", 1)
    assert place is not None
    places.free(place)
    assert others.taken("node") == 0
    assert others.take("node", 1) == place


def test_all_places_of_a_closed_file_are_free(path: Path, others: Places) -> None:
    leaving = Places(path)
    for _ in range(3):
        leaving.take("node", 3)
    leaving.close()
    assert others.taken("node") == 0


def test_a_lowered_limit_counts_those_who_are_there(places: Places, others: Places) -> None:
    taken = [others.take("node", 4) for _ in range(4)]
    assert taken[0] is not None
    others.free(taken[0])
    assert places.take("node", 2) is None, "its first byte is free, but three are there"
    assert places.take("node", 4) == taken[0]


def test_no_place_at_all(places: Places) -> None:
    assert places.take("agent", 0) is None


def test_the_dead_keep_none(path: Path, places: Places) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    assert holder.stdout.readline().split()[3] == "None", "another process is told of a full room too"
    assert places.take("node", 3) is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert places.taken("node") == 0
    assert places.take("node", 1) is not None


def test_a_file_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot count conversations in"):
        Places(tmp_path / "file" / "places")


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "free"])), max_size=60))
def test_whatever_comes_and_goes_the_count_is_right(tmp_path_factory: pytest.TempPathFactory, moves: list) -> None:
    """Of three processes."""
    path = tmp_path_factory.mktemp("places") / "places"
    processes = [Places(path) for _ in range(3)]
    held: list[list[int]] = [[], [], []]
    for who, move in moves:
        there = sum(map(len, held))
        if move == "free" and held[who]:
            processes[who].free(held[who].pop(0))
        elif move == "take":
            place = processes[who].take("node", 5)
            assert (place is None) == (there == 5)
            held[who] += [place] if place is not None else []
        assert {each.taken("node") for each in processes} == {sum(map(len, held))}
        assert len({place for places in held for place in places}) == sum(map(len, held))
    for process in processes:
        process.close()


def test_the_last_byte_of_a_room_is_not_the_next_room_s(places: Places, others: Places) -> None:
    first = places.take("node", MOST_PLACES)
    assert first is not None
    assert first % MOST_PLACES == 0
    assert first + MOST_PLACES <= 2**63 - 1, "an off_t"
