from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.store import journal_file
from serve_app.store.epochs import Claim
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record

kinds = st.sampled_from(["started", "audio", "user_turn", "ended"])
data = st.sampled_from(['{"resume":null}', '{"text":"olá 👋\\n\\r"}', "{}", '{"text":"' + "x" * 300 + '"}'])
times = st.floats(0, 4e9)
calls = st.lists(st.tuples(times, kinds, data, st.integers(0, 3)), max_size=20).map(
    lambda rows: [Record("c", i, at, kind, of, epoch) for i, (at, kind, of, epoch) in enumerate(rows)]
)


@given(calls, st.data())
def test_whatever_is_cut_off_at_the_end_the_rest_reads_back(call: list[Record], draw: st.DataObject) -> None:
    lines = [journal_file.line_of(record) for record in call]
    text = b"".join(lines)
    cut = draw.draw(st.integers(0, len(text)))
    whole = [record for i, record in enumerate(call) if sum(map(len, lines[: i + 1])) <= cut]
    assert list(journal_file.records("c", text[:cut])) == whole


@given(calls, st.binary(max_size=40), st.integers(0, 19))
def test_what_is_no_record_is_passed_over(call: list[Record], rubbish: bytes, place: int) -> None:
    lines = [journal_file.line_of(record) for record in call]
    lines.insert(min(place, len(lines)), rubbish + b"\n")
    assert list(journal_file.records("c", b"".join(lines))) == call


@given(calls)
def test_a_byte_that_has_changed_costs_its_line_alone(call: list[Record]) -> None:
    lines = [journal_file.line_of(record) for record in call]
    if lines:
        lines[0] = lines[0][:-3] + bytes([lines[0][-3] ^ 1]) + lines[0][-2:]
    assert list(journal_file.records("c", b"".join(lines))) == call[1:]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_file_is_read_in_pieces_of_whole_records(tmp_path: Path, limit: int) -> None:
    call = [Record("c", i, 1.5, "audio", '{"text":"' + "y" * (i * 997) + '"}') for i in range(200)]
    file = new_file(tmp_path)
    for record in call:
        file.append(journal_file.line_of(record))
    assert read_all(file, limit) == call
    assert file.is_stored
    file.close()


def test_a_write_that_was_cut_off_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    first, second, third = (Record("c", i, 1.5, "audio", "{}") for i in range(3))
    file = new_file(tmp_path)
    file.append(journal_file.line_of(first))
    cut_off = journal_file.line_of(second)[:20]
    with file.path.open("ab") as other:  # as a full disk leaves it
        other.write(cut_off)
    file.size, file._is_torn = file.size + len(cut_off), True
    assert read_all(file, 10) == [first]
    assert file.is_stored
    file.append(journal_file.line_of(second))
    file.append(journal_file.line_of(third))
    assert read_all(file, 10) == [second, third]
    assert list(journal_file.records("c", file.path.read_bytes())) == [first, second, third]
    file.close()


def test_a_file_that_a_dead_process_was_writing_is_read_to_its_end(tmp_path: Path) -> None:
    first, second = (Record("c", i, 1.5, "audio", "{}") for i in range(2))
    path = tmp_path / "c.0.log"
    path.write_bytes(journal_file.line_of(first) + journal_file.line_of(second)[:-1])
    file = JournalFile.existing(path, Claim("c", 0, "dead"))
    assert read_all(file, 10) == [first]
    assert file.is_stored
    file.remove()
    assert not path.exists()


@pytest.mark.parametrize(("whole", "left"), [(0, 1000), (199, 1000), (420, 600), (1000, 0), (5000, 0)])
def test_what_is_stored_already_is_skipped_in_the_main(tmp_path: Path, whole: int, left: int) -> None:
    file = new_file(tmp_path)
    for sequence in range(1000):
        file.append(journal_file.line_of(Record("c", sequence, 1.5, "audio", "{}")))
    file.skip(whole)
    assert len(read_all(file, 100)) == left
    file.close()


def test_what_its_records_tell_of_the_conversation(tmp_path: Path) -> None:
    file = new_file(tmp_path)
    file.note(Record("c", 0, 1.5, "started", '{"resume":null}'))
    assert not file.may_be_resumed
    file.note(Record("c", 0, 1.5, "started", '{"resume":{"token_sha256":""},"agent_id":"a"}'))
    assert file.may_be_resumed
    assert not file.is_over
    file.note(Record("c", 1, 1.5, "ended", "{}"))
    assert file.is_over


def new_file(folder: Path) -> JournalFile:
    return JournalFile(folder / "c.0.log", Claim("c", 0, "replica"))


def read_all(file: JournalFile, limit: int) -> list[Record]:
    found: list[Record] = []
    while not file.is_stored:
        chunk = file.read(limit)
        assert len(chunk.records) <= limit
        found += chunk.records
        file.stored = chunk.end
    return found
