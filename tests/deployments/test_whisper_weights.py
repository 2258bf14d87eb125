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


def cached_folder(cache: Path) -> Path:
    repository = cache / "models--Systran--faster-whisper-small"
    folder = whisper_folder(repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123")
    return folder


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_asked_for_is_the_bundled_model_which_says_what_it_is(nothing: str | None) -> None:
    weights = find_weights(nothing)
    assert weights.bundled
    assert weights.folder == BUNDLED_FOLDER
    assert all((weights.folder / name).is_file() for name in REQUIRED_FILES)
    assert "not a general recogniser" in weights.sentence
    assert "WHISPER_MODEL=small downloads one, 486 MB once" in weights.sentence
    assert weights.repository is None


def test_a_folder_is_taken(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "mine")
    weights = find_weights(str(folder))
    assert not weights.bundled
    assert weights.folder == folder
    assert str(folder) in weights.sentence


@pytest.mark.parametrize("name", ["small", "Systran/faster-whisper-small"])
def test_a_name_in_the_local_cache_is_taken(name: str, tmp_path: Path) -> None:
    folder = cached_folder(tmp_path / "cache")
    weights = find_weights(name)
    assert not weights.bundled
    assert weights.folder == folder


def test_another_cache_is_looked_into(tmp_path: Path) -> None:
    folder = cached_folder(tmp_path / "other")
    assert find_weights("small", tmp_path / "other").folder == folder


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("small", "Systran/faster-whisper-small"),
        ("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
        ("nobody/nothing", "nobody/nothing"),
    ],
)
def test_what_a_hub_may_have_is_the_bundled_model_for_now(name: str, repository: str) -> None:
    weights = find_weights(name)
    assert (weights.bundled, weights.folder, weights.repository) == (True, BUNDLED_FOLDER, repository)
    assert f"WHISPER_MODEL={name!r} is not on this machine yet" in weights.sentence
    assert "Used for now: Speech recognition: the small bundled model" in weights.sentence


@pytest.mark.parametrize("missing", REQUIRED_FILES)
def test_half_of_a_model_in_the_cache_is_to_be_had_from_the_hub(missing: str, tmp_path: Path) -> None:
    folder = cached_folder(tmp_path / "cache")
    (folder / missing).unlink()
    assert find_weights("small").repository == "Systran/faster-whisper-small"


@pytest.mark.parametrize("name", ["no-such-size", "/no/such/folder", "a/b/c", "not a name!", "not a/name!"])
def test_what_cannot_be_found_is_the_bundled_model_and_said(name: str) -> None:
    weights = find_weights(name)
    assert (weights.bundled, weights.folder, weights.repository) == (True, BUNDLED_FOLDER, None)
    assert f"WHISPER_MODEL={name!r} is neither a folder, nor a size of Whisper" in weights.sentence
    assert "Used instead: Speech recognition: the small bundled model" in weights.sentence
    assert "WHISPER_MODEL=small downloads one" in weights.sentence


@pytest.mark.parametrize("missing", REQUIRED_FILES)
def test_a_folder_without_a_needed_file_is_refused_and_said(missing: str, tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "mine")
    (folder / missing).unlink()
    weights = find_weights(str(folder))
    assert weights.bundled
    assert weights.repository is None
    assert f"lacks {missing}" in weights.sentence
