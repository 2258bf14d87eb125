import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.store import journal_file
from serve_app.store.epochs import Claim
from serve_app.store.journal import Folder, Journal, is_name
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_a_replica_holds_its_folder_until_it_dies(journal: Journal) -> None:
    folder = journal.open()
    assert journal.replicas() == [folder.name]
    assert journal.orphan(folder.name) is None
    os.close(folder.lock)
    orphan = journal.orphan(folder.name)
    assert orphan is not None
    assert journal.orphan(folder.name) is None
    orphan.close()
    assert journal.replicas() == []


def test_a_folder_with_a_conversation_in_it_stays_for_others(journal: Journal) -> None:
    folder = journal.open()
    file = written(folder, "c", 0, "started")
    folder.close()
    orphan = journal.orphan(folder.name)
    assert orphan is not None
    assert orphan.files() == [(file.path, Claim("c", 0, folder.name))]
    file.remove()
    orphan.close()
    assert journal.orphan(folder.name) is None


def test_what_others_keep_in_the_root_is_not_touched(journal: Journal, tmp_path: Path) -> None:
    folder = journal.open()
    (tmp_path / "places").mkdir()
    (tmp_path / "epochs" / "lost+found").mkdir()
    assert journal.replicas() == [folder.name]
    assert journal.epochs() == {}
    folder.close()


def test_what_is_in_it_is_for_nobody_else(journal: Journal, tmp_path: Path) -> None:
    folder = journal.open()
    file = written(folder, "c", 0, "started")
    modes = [path.stat().st_mode & 0o077 for path in (tmp_path / "epochs", folder.path, file.path)]
    assert modes == [0, 0, 0]
    file.remove()
    folder.close()


def test_a_root_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file.*JOURNAL_DIR"):
        Journal(tmp_path / "file").open()


def test_a_conversation_is_found_in_whatever_folder(journal: Journal) -> None:
    one, another = journal.open(), journal.open()
    files = [written(one, "c", 0, "started"), written(another, "c", 2, "feedback"), written(one, "d", 0, "started")]
    assert {(record.kind, record.epoch) for record in journal.records("c")} == {("started", 0), ("feedback", 2)}
    assert journal.epoch("c") == 2
    assert journal.newest_files() == {"c": 2, "d": 0}
    assert not journal.holds("e")
    assert journal.size() == sum(file.size for file in files)
    for file in files:
        file.remove()
    one.close()
    another.close()


def test_of_many_who_want_an_epoch_one_gets_it(journal: Journal) -> None:
    folder = journal.open()
    with ThreadPoolExecutor(8) as threads:
        for epoch in range(1, 20):
            won = list(threads.map(lambda _, epoch=epoch: journal.take_over("c", epoch), range(8)))
            assert sum(won) == 1
    assert journal.epoch("c") == 19
    assert not journal.take_over("c", 7)
    journal.give_back("c", 19)
    assert journal.epochs() == {}
    folder.close()


@pytest.mark.parametrize("name", ["../c", "a/b", "", "c.1", "conversação", "c\n", "c" * 200])
def test_no_id_leads_out_of_the_folder(name: str) -> None:
    assert not is_name(name)
    assert is_name("conv_01jz8-X")


def written(folder: Folder, conversation_id: str, epoch: int, kind: str) -> JournalFile:
    file = JournalFile(folder.file(conversation_id, epoch), Claim(conversation_id, epoch, folder.name))
    file.append(journal_file.line_of(Record(conversation_id, 0, 1.5, kind, "{}", epoch)))
    return file
