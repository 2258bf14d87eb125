from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError, StoreError
from serve_app.recordings import archive as module
from serve_app.recordings.archive import Archive
from serve_app.recordings.segments import Segment, Side
from tests.fakes.s3_server import BUCKET, FakeS3

FIRST, SECOND = Segment(0, 0, 0, Side.CALLER), Segment(1, 960_000, 5, Side.AGENT)


def test_it_keeps_lists_and_deletes(tmp_path: Path) -> None:
    archive = Archive((tmp_path / "a folder").as_uri())
    archive.put("conv_1", FIRST, b"one")
    archive.put("conv_1", SECOND, b"two")
    archive.put("conv_10", FIRST, b"another")
    archive.put("conv_1", FIRST, b"again")
    assert sorted(archive.segments("conv_1")) == [FIRST, SECOND]
    assert (archive.get("conv_1", FIRST), archive.get("conv_1", SECOND)) == (b"again", b"two")
    archive.delete("conv_1", [FIRST, SECOND, FIRST])
    assert (archive.segments("conv_1"), archive.get("conv_1", FIRST)) == ([], None)
    assert [path.name for path in (tmp_path / "a folder").iterdir()] == ["conv_10"]


def test_what_else_lies_there_is_nobodys(tmp_path: Path) -> None:
    archive = Archive(tmp_path.as_uri())
    archive.put("conv_1", FIRST, b"one")
    (tmp_path / "conv_1" / "notes.txt").touch()
    assert archive.segments("conv_1") == [FIRST]


@pytest.mark.parametrize("url", ["ftp://host/folder", "nowhere", "file:///dev/null/folder"])
def test_an_address_that_cannot_be_one_is_told_at_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"recordings cannot be kept in {url}"):
        Archive(url)


def test_a_folder_that_fails_is_a_store_error(tmp_path: Path) -> None:
    archive = Archive((tmp_path / "kept").as_uri())
    (tmp_path / "kept" / "conv_1").write_text("a file where its folder would be")
    with pytest.raises(StoreError, match=r"^recordings: [^\n]*$"):
        archive.put("conv_1", FIRST, b"one")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    with FakeS3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        yield s3


def test_an_object_store_keeps_lists_and_deletes_the_same(bucket: FakeS3) -> None:
    archive = Archive(f"s3://{BUCKET}/all calls")
    segments = [Segment(0, 960_000 * minute, 0, side) for minute in range(4) for side in Side]
    for segment in segments:
        archive.put("conv_1", segment, segment.name.encode())
    archive.put("conv_10", FIRST, b"another")
    assert sorted(archive.segments("conv_1")) == sorted(segments)
    assert archive.get("conv_1", segments[3]) == segments[3].name.encode()
    assert archive.get("conv_1", SECOND) is None
    archive.delete("conv_1", [*segments, SECOND])
    assert archive.segments("conv_1") == []
    assert list(bucket.objects) == [f"all calls/conv_10/{FIRST.name}.flac"]


def test_a_key_that_is_not_the_buckets_is_a_store_error(bucket: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(StoreError, match=r"recordings: .*403"):
        Archive(f"s3://{BUCKET}").put("conv_1", FIRST, b"one")
    assert bucket.objects == {}


def test_a_bucket_that_is_away_is_a_store_error_soon(bucket: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS_S", timedelta(seconds=0.2))
    bucket.away = True
    with pytest.raises(StoreError, match=r"recordings: .*503"):
        Archive(f"s3://{BUCKET}").segments("conv_1")
