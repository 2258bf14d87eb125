"""Whisper models from a Hugging Face hub, into Hugging Face's cache. HF_ENDPOINT, HF_TOKEN and HF_HOME are respected.

The hub's own library moves the bytes: it goes on where a connection was cut, and leaves a finished file alone. What it
does not do is done here: a hub that does not answer is given up, a full disk is noticed before, each file is checked
against the hub's hash, and what went wrong is said in words that help.
"""

import errno
import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils.tqdm import tqdm

from deployments.whisper_weights import REQUIRED_FILES
from serve_app.errors import HelloError

# What faster-whisper reads. The weights come last: a folder that has them has everything.
FILES = ("config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.*", "model.bin")
HUB_ANSWERS_WITHIN_S = 10.0
# The library writes each download to a new file and cannot remove it when its process is killed.
ABANDONED_AFTER_S = 3600.0
FULL = {errno.ENOSPC, errno.EDQUOT}
BLOCK = 1 << 20


class DownloadError(HelloError):
    """The model is not to be had like this. The message says why, and what to do."""


class Interrupted(DownloadError):
    """The same attempt may succeed later."""


class Download:
    """One model's way into the cache. `run` blocks; `megabytes` and `percent` may be read by any thread meanwhile."""

    def __init__(self, repository: str, *, cache: Path | None = None, endpoint: str | None = None) -> None:
        self._repository = repository
        self._cache = Path(cache or constants.HF_HUB_CACHE)
        self._endpoint = endpoint
        self._total = self._done = 0  # bytes

    @property
    def megabytes(self) -> int:
        """Of the whole model; 0 until the hub has said so."""
        return round(self._total / 1e6)

    @property
    def percent(self) -> int:
        return min(100 * self._done // self._total, 100) if self._total else 0

    def run(self) -> Path:
        """The folder of the model, complete and as the hub has it. Raises DownloadError."""
        with _explained(self._cache):
            self._remove_abandoned()
            files = self._files()
            self._total = sum(file.size or 0 for file in files)
            self._check_room(files)
            return [self._fetch(file) for file in files][-1].parent

    def _remove_abandoned(self) -> None:
        blobs = self._cache / repo_folder_name(repo_id=self._repository, repo_type="model") / "blobs"
        for part in blobs.glob("*.incomplete"):
            if time.time() - part.stat().st_mtime > ABANDONED_AFTER_S:
                part.unlink(missing_ok=True)

    def _files(self) -> list[RepoSibling]:
        hub = HfApi(self._endpoint)
        try:
            model = hub.model_info(self._repository, timeout=HUB_ANSWERS_WITHIN_S, files_metadata=True)
        except (ValueError, KeyError) as e:  # not JSON, or another
            raise Interrupted(f"{hub.endpoint} does not answer as a model hub does") from e
        files = [file for pattern in FILES for file in model.siblings or () if fnmatch(file.rfilename, pattern)]
        if missing := {*REQUIRED_FILES} - {file.rfilename for file in files}:
            raise DownloadError(
                f"it has no {' and no '.join(sorted(missing))}, so it is no Whisper model for CTranslate2; "
                "those of Systran on huggingface.co are"
            )
        return files

    def _check_room(self, files: Sequence[RepoSibling]) -> None:
        missing = sum(file.size or 0 for file in files if not self._has(file))
        there = next(folder for folder in (self._cache, *self._cache.parents) if folder.exists())
        if missing > (free := shutil.disk_usage(there).free):
            raise DownloadError(_no_room(self._cache, f"{missing / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB free"))

    def _has(self, file: RepoSibling) -> bool:
        return isinstance(try_to_load_from_cache(self._repository, file.rfilename, cache_dir=self._cache), str)

    def _fetch(self, file: RepoSibling) -> Path:
        before = self._done
        path = Path(
            hf_hub_download(
                self._repository,
                file.rfilename,
                cache_dir=self._cache,
                endpoint=self._endpoint,
                etag_timeout=HUB_ANSWERS_WITHIN_S,
                tqdm_class=self._bar(before),
            )
        )
        if not _is_intact(path, file):
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise Interrupted(f"its {file.rfilename} arrived damaged")
        self._done = before + (file.size or 0)
        return path

    def _bar(self, before: int) -> type[tqdm]:
        """What the library shows progress on, here only to be counted. It may show one file on more than one."""

        def count(file_bytes: float) -> None:
            self._done = max(self._done, before + int(file_bytes))

        class Bar(tqdm):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]

            def update(self, n: float | None = 1) -> None:
                self.n += n or 0
                count(self.n)

        return Bar


def _is_intact(path: Path, file: RepoSibling) -> bool:
    """As the hub has it: by SHA-256 where the hub keeps large files, by git's hash of a blob for the others."""
    if file.lfs is not None:
        digest, expected = hashlib.sha256(), file.lfs.sha256
    else:
        digest, expected = hashlib.sha1(usedforsecurity=False), file.blob_id or ""
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
    return digest.hexdigest() == expected


@contextmanager
def _explained(cache: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, httpx2.HTTPError) as e:
        # The library wraps what kept it from the hub: it would have been content with a file in the cache.
        raise _reason((e.__cause__ if isinstance(e, LocalEntryNotFoundError) else None) or e, cache) from e


def _reason(error: BaseException, cache: Path) -> DownloadError:
    match error:
        case OfflineModeIsEnabled():
            return DownloadError("HF_HUB_OFFLINE forbids it")
        case GatedRepoError():
            return DownloadError("its owner wants terms accepted: do so on its page on the hub, and set HF_TOKEN")
        case RepositoryNotFoundError():
            return DownloadError("the hub has no such model, or it is private: correct the name, or set HF_TOKEN")
        case HfHubHTTPError(response=httpx2.Response(status_code=401 | 403)):
            return DownloadError("the hub refuses HF_TOKEN: set another")
        case HfHubHTTPError(response=httpx2.Response(status_code=status)):
            return Interrupted(f"the hub answers with status {status}")
        case httpx2.HTTPError():
            return Interrupted(f"the hub cannot be reached ({type(error).__name__})")
        case OSError(errno=number) if number in FULL:
            return DownloadError(_no_room(cache, "the disk is full"))
        case OSError(errno=int(), strerror=why):
            return DownloadError(f"{cache} cannot be written to ({why}): set HF_HOME to a folder that can")
        case _:
            return Interrupted("not all of it arrived")


def _no_room(cache: Path, why: str) -> str:
    return f"{why} in {cache}: make room, or set HF_HOME to a folder on another disk"
