import errno
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.recordings.live import LiveFile, LiveFolder
from serve_app.recordings.segments import Segment, Side
from tests.recordings.sounds import live_in

FILE = LiveFile("conv_1", Segment(0, 0, 0, Side.CALLER))


def test_nobody_takes_a_file_away_while_it_is_written(tmp_path: Path) -> None:
    live = live_in(tmp_path)
    with live.create(FILE), live.unused(FILE) as unused:
        assert not unused
    with live.unused(FILE) as unused, live.unused(FILE) as by_another:
        assert (unused, by_another) == (True, False)


def test_what_has_been_taken_away_is_nobodys(tmp_path: Path) -> None:
    live = live_in(tmp_path)
    live.create(FILE).close()
    live.remove(FILE)
    live.remove(FILE)
    assert not live.holds(FILE)
    with live.unused(FILE) as unused:
        assert not unused
    with pytest.raises(FileNotFoundError):
        live.read(FILE)


def test_it_lists_one_conversation_or_all_and_nothing_else(tmp_path: Path) -> None:
    live = live_in(tmp_path)
    assert live.files() == []
    other = LiveFile("conv_10", Segment(1, 5, 2, Side.AGENT))
    for file in (FILE, other):
        live.create(file).close()
    (tmp_path / "live" / "notes.txt").touch()
    (tmp_path / "live" / "conv_1.notes.pcm").touch()
    assert set(live.files()) == {FILE, other}
    assert live.files("conv_1") == [FILE]


def test_recordings_are_for_nobody_else_on_the_machine(tmp_path: Path) -> None:
    live_in(tmp_path)
    assert (tmp_path / "live").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_one_is_told_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="recordings cannot be kept in /dev/null/folder: Not a directory"):
        LiveFolder(Path("/dev/null/folder"))


def test_a_disk_that_is_nearly_full_counts_as_full(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="are left on the disk") as refusal:
        LiveFolder(tmp_path, reserved_bytes=1 << 60).create(FILE)
    assert refusal.value.errno == errno.ENOSPC
