"""Files over files become one struct, and a mistake is told where it stands."""

from pathlib import Path

import pytest
from msgspec import Struct

from serve_app.errors import ConfigurationError
from serve_app.planning.layers import converted, layer


class Room(Struct, forbid_unknown_fields=True):
    chairs: int
    doors: dict[str, dict[str, float]] = {}


class House(Struct, forbid_unknown_fields=True):
    rooms: dict[str, Room]


def house(folder: Path, below: str, above: str) -> House:
    paths = folder / "below.yaml", folder / "above.yaml"
    for path, text in zip(paths, (below, above), strict=True):
        path.write_text(text)
    return converted({path: layer(path) for path in paths}, House)


def test_the_last_layer_counts_most(tmp_path: Path) -> None:
    made = house(tmp_path, "rooms: {hall: {chairs: 1}, attic: {chairs: 2}}", "rooms: {hall: {chairs: 3}}")
    assert {name: room.chairs for name, room in made.rooms.items()} == {"hall": 3, "attic": 2}


@pytest.mark.parametrize(
    ("below", "above", "told"),
    [
        ("rooms:\n  hall:\n    chair: 1", "rooms: {hall: {chairs: 1}}", "below.yaml:3: rooms.hall.chair: "),
        ("rooms:\n  hall: {}\n  attic: {}", "rooms:\n  hall: {chairs: 3}", "below.yaml:3: rooms.attic: "),
        ("rooms:\n  hall: {chairs: 1}", "rooms:\n\n  hall: {chairs: x}", "above.yaml:3: rooms.hall.chairs: "),
        (
            "rooms:\n  hall: {chairs: 1, doors: {front: {width: 1}}}",
            "rooms:\n  hall:\n    doors:\n      front: {height: 2}\n      back: {height: tall}",
            "above.yaml:5: rooms.hall.doors.back.height: ",
        ),
        ("rooms: {}", "rooms: nowhere", "above.yaml:1: rooms: "),
        ("rooms: {}", "garden: {}", "above.yaml:1: garden: "),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, below: str, above: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        house(tmp_path, below, above)
    assert raised.value.message.startswith(f"{tmp_path}/{told}")
