import asyncio
import logging
from pathlib import Path

import numpy as np
import pytest

from serve_app.recordings import library as module
from serve_app.recordings.live import LiveFile
from serve_app.recordings.segments import Segment, Side
from serve_app.recordings.tape import Tape
from tests.recordings.sounds import WIRE, from_agent, from_caller, heard, library_in, live_in, speech

CALLER, AGENT = speech(1.0, 1), speech(1.0, 2)


def record(folder: Path, conversation_id: str = "conv_1") -> None:
    tape = Tape(live_in(folder), conversation_id, 0, WIRE)
    tape.close([*from_caller(CALLER), *from_agent(AGENT)])


def kept_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "kept").rglob("*.flac"))


def test_what_is_finished_moves_into_the_archive_and_sounds_the_same(tmp_path: Path) -> None:
    record(tmp_path)
    library = library_in(tmp_path)
    before = heard(library)
    library.tidy()
    assert live_in(tmp_path).files() == []
    assert len(kept_in(tmp_path)) == 2
    np.testing.assert_array_equal(heard(library), before)
    np.testing.assert_array_equal(before, CALLER + AGENT)


def test_what_is_being_recorded_stays_and_can_be_heard(tmp_path: Path) -> None:
    library, tape = library_in(tmp_path), Tape(live_in(tmp_path), "conv_1", 0, WIRE)
    tape.write([*from_caller(CALLER)])
    library.tidy()
    np.testing.assert_array_equal(heard(library), CALLER)
    assert kept_in(tmp_path) == []
    tape.close([])


def test_half_a_sample_at_the_end_of_a_full_disk_is_left_out(tmp_path: Path) -> None:
    with live_in(tmp_path).create(LiveFile("conv_1", Segment(0, 0, 0, Side.CALLER))) as file:
        file.write(CALLER.tobytes()[:-1])
    library = library_in(tmp_path)
    np.testing.assert_array_equal(heard(library), CALLER[:-1])
    library.tidy()
    np.testing.assert_array_equal(heard(library), CALLER[:-1])


def test_a_segment_without_audio_goes(tmp_path: Path) -> None:
    live_in(tmp_path).create(LiveFile("conv_1", Segment(0, 0, 0, Side.CALLER))).close()
    library = library_in(tmp_path)
    library.tidy()
    assert (live_in(tmp_path).files(), library.segments("conv_1")) == ([], [])


@pytest.mark.parametrize("archived", [False, True])
def test_a_deleted_recording_is_gone_and_the_others_are_not(tmp_path: Path, archived: bool) -> None:
    record(tmp_path)
    record(tmp_path, "conv_10")
    library = library_in(tmp_path)
    if archived:
        library.tidy()
    assert asyncio.run(library.exists("conv_1"))
    asyncio.run(library.delete("conv_1"))
    asyncio.run(library.delete("conv_1"))
    assert not asyncio.run(library.exists("conv_1"))
    assert asyncio.run(library.exists("conv_10"))
    assert not [path for path in tmp_path.rglob("*") if "conv_1" in path.name and "conv_10" not in path.name]


def test_a_recording_deleted_on_its_way_to_the_archive_does_not_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path)
    library, encode = library_in(tmp_path), module.flac

    def encode_meanwhile(samples: np.ndarray) -> bytes:
        asyncio.run(library_in(tmp_path).delete("conv_1"))
        return encode(samples)

    monkeypatch.setattr(module, "flac", encode_meanwhile)
    library.tidy()
    assert (kept_in(tmp_path), live_in(tmp_path).files()) == ([], [])


@pytest.mark.parametrize("conversation_id", ["", "..", "conv_1/..", "*", "conv_1\n", "é"])
def test_a_name_that_could_be_a_path_has_no_recording(tmp_path: Path, conversation_id: str) -> None:
    record(tmp_path)
    library = library_in(tmp_path)
    assert not asyncio.run(library.exists(conversation_id))
    asyncio.run(library.delete(conversation_id))
    assert asyncio.run(library.exists("conv_1"))


def test_while_the_archive_is_away_recordings_wait_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "TIDY_EVERY_S", 0)
    library = library_in(tmp_path)
    blocked = tmp_path / "kept" / "conv_1"
    blocked.write_text("a file where its folder would be")
    record(tmp_path)

    async def tidy_until_archived() -> None:
        tidying = asyncio.create_task(library.run())
        while not caplog.records:  # noqa: ASYNC110 - a thread fails
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # more rounds
        assert live_in(tmp_path).files()
        blocked.unlink()
        while live_in(tmp_path).files():  # noqa: ASYNC110 - a thread empties it
            await asyncio.sleep(0.01)
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)

    asyncio.run(tidy_until_archived())
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith("recordings stay on this node's disk for now: ")
    np.testing.assert_array_equal(heard(library), CALLER + AGENT)
