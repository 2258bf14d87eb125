from pathlib import Path

import pytest

import serve_app.store.spool
from serve_app.store import journal_file
from serve_app.store.epochs import Claim
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record
from serve_app.store.spool import Spool
from tests.store.small_disk import fill, small_disk

__all__ = ["small_disk"]


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_app.store.spool, "DISK_RETRY_SECONDS", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_what_a_full_disk_refuses_waits_and_gets_there_in_order(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, file = Spool(), of("c", small_disk)
    fill(small_disk)
    for sequence in range(100):
        assert append(spool, file, sequence)
    assert not spool.is_on_disk
    on_disk = stored_in(file)
    waiting = [record.sequence for record in spool.records("c")]
    assert on_disk + waiting == list(range(100))
    spool.retry()
    assert stored_in(file) == on_disk
    (small_disk / "filler").unlink()
    spool.retry()
    assert spool.is_on_disk
    assert append(spool, file, 100)
    assert stored_in(file) == list(range(101))
    assert (spool.waiting_bytes, spool.holds(file), spool.used) == (0, False, file.path.stat().st_size)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "it is full" in caplog.text
    file.close()


def test_a_disk_that_has_refused_is_left_alone_for_a_while(small_disk: Path) -> None:
    spool, file = Spool(), of("c", small_disk)
    fill(small_disk)
    assert append(spool, file, 0, size=5000)
    (small_disk / "filler").unlink()
    spool.retry()
    assert append(spool, file, 1)
    assert [record.sequence for record in spool.records("c")] == [0, 1]
    file.close()


@pytest.mark.usefixtures("no_pause")
def test_what_postgres_has_taken_from_memory_waits_for_no_disk(small_disk: Path) -> None:
    spool, one, another = Spool(), of("c", small_disk), of("d", small_disk)
    fill(small_disk)
    for sequence in range(4):
        assert append(spool, one if sequence % 2 else another, sequence, size=5000)
    first = spool.waiting(3)
    spool.drop(another)
    spool.forget(first)
    assert [record.sequence for record in spool.records("c")] == [3]
    assert not spool.holds(another)
    (small_disk / "filler").unlink()
    spool.retry()
    assert stored_in(one) == [3]
    spool.remove(one)
    spool.remove(another)
    assert (spool.used, spool.waiting_bytes) == (0, 0)


def test_memory_has_an_end_too_and_audio_finds_it_first(tmp_path: Path) -> None:
    spool, nowhere = Spool(memory_bytes=10_000), of("c", tmp_path / "absent")
    kept = [append(spool, nowhere, sequence, kind="audio", size=1000) for sequence in range(12)]
    assert kept == [True] * 4 + [False] * 8
    assert [append(spool, nowhere, sequence, size=1000) for sequence in range(12, 24)] == [True] * 5 + [False] * 7
    assert spool.dropped == 15


def test_the_node_s_room_is_for_all_replicas_and_the_last_half_not_for_audio(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, file = Spool(disk_bytes=10_000), of("c", tmp_path)
    spool.others = 2500
    kept = [append(spool, file, sequence, kind="audio", size=1000) for sequence in range(6)]
    assert kept == [True, True] + [False] * 4
    assert [append(spool, file, sequence, size=1000) for sequence in range(6, 12)] == [True] * 5 + [False]
    assert file.appended == 7
    spool.complain()
    spool.complain()
    assert [record.getMessage().split(": ")[2] for record in caplog.records] == ["5 events were dropped so far"]
    file.close()


def of(conversation_id: str, folder: Path) -> JournalFile:
    return JournalFile(folder / f"{conversation_id}.0.log", Claim(conversation_id, 0, "replica"))


def append(spool: Spool, file: JournalFile, sequence: int, *, kind: str = "user_turn", size: int = 300) -> bool:
    text = '{"text":"' + "x" * size + '"}'
    return spool.append(file, kind, journal_file.line_of(Record("c", sequence, 1.5, kind, text)))


def stored_in(file: JournalFile) -> list[int]:
    return [record.sequence for record in journal_file.records("c", file.path.read_bytes())]
