import socket
from pathlib import Path

import pytest

from deployments.whisper_weights import BUNDLED_FOLDER, REQUIRED_FILES, find_weights


@pytest.fixture(autouse=True)
def _empty_cache_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # huggingface_hub reads HF_HUB_CACHE when it is imported, so the cache is moved where it keeps the answer.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))

    def refuse(*_: object) -> None:
        raise AssertionError("the search for weights went to the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def whisper_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in REQUIRED_FILES:
        (folder / name).write_bytes((BUNDLED_FOLDER / name).read_bytes())
    return folder


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_asked_for_is_the_bundled_model_which_says_what_it_is(nothing: str | None) -> None:
    weights = find_weights(nothing)
    assert weights.bundled
    assert weights.folder == BUNDLED_FOLDER
    assert all((weights.folder / name).is_file() for name in REQUIRED_FILES)
    assert "not a general recogniser" in weights.sentence
    assert "Set WHISPER_MODEL" in weights.sentence


def test_a_folder_is_taken(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "mine")
    weights = find_weights(str(folder))
    assert not weights.bundled
    assert weights.folder == folder
    assert str(folder) in weights.sentence


@pytest.mark.parametrize("name", ["small", "Systran/faster-whisper-small"])
def test_a_name_in_the_local_cache_is_taken(name: str, tmp_path: Path) -> None:
    repository = tmp_path / "cache" / "models--Systran--faster-whisper-small"
    folder = whisper_folder(repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123")
    weights = find_weights(name)
    assert not weights.bundled
    assert weights.folder == folder


@pytest.mark.parametrize("name", ["small", "no-such-size", "nobody/nothing", "/no/such/folder", "not a name!"])
def test_what_cannot_be_found_is_the_bundled_model_and_said(name: str) -> None:
    weights = find_weights(name)
    assert weights.bundled
    assert weights.folder == BUNDLED_FOLDER
    assert f"WHISPER_MODEL={name!r} is neither a folder nor a model in the local" in weights.sentence
    assert "Used instead: Speech recognition: the small bundled model" in weights.sentence
    assert "Set WHISPER_MODEL" in weights.sentence


@pytest.mark.parametrize("missing", REQUIRED_FILES)
def test_a_folder_without_a_needed_file_is_refused_and_said(missing: str, tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "mine")
    (folder / missing).unlink()
    weights = find_weights(str(folder))
    assert weights.bundled
    assert f"lacks {missing}" in weights.sentence
