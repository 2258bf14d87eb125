"""The journals of a node: a folder for each replica, in it a file for each conversation that is not over and stored.

    <root>/<replica>/lock                       held while the replica lives
    <root>/<replica>/<conversation>.<epoch>.log
    <root>/epochs/<conversation>.<epoch>        whoever has made this file has taken the conversation over

A file may be gone, or come, at any moment: what is read here is as it was a moment ago.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from serve_app.errors import ConfigurationError
from serve_app.store import journal_file
from serve_app.store.epochs import Claim
from serve_app.store.projections import Record

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_REPLICA = re.compile(r"[0-9a-f]{16}")
_IN_EPOCH = re.compile(r"([A-Za-z0-9_-]+)\.(\d+)(\.log)?")
_EPOCHS = "epochs"
_LOCK = "lock"
_SUFFIX = ".log"


class Folder(NamedTuple):
    """A replica's, whose lock this process holds, with the descriptor `lock`."""

    path: Path
    lock: int

    @property
    def name(self) -> str:
        return self.path.name

    def file(self, conversation_id: str, epoch: int) -> Path:
        return self.path / f"{conversation_id}.{epoch}{_SUFFIX}"

    def files(self) -> list[tuple[Path, Claim]]:
        return list(_files(self.path))

    def close(self) -> None:
        """Give it back. With conversations in it, it is there for others to adopt; else it goes."""
        if not self.files():
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


class Journal:
    """The node's, in the folder `root`. Everything here is quick but for reading conversations: do that in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._epochs = root / _EPOCHS

    def open(self) -> Folder:
        """A new replica's folder. Raises ConfigurationError."""
        name = secrets.token_hex(8)
        unseen = self._root / f".{name}"  # until it is locked, so that nobody adopts it
        try:
            self._epochs.mkdir(mode=0o700, parents=True, exist_ok=True)
            unseen.mkdir(mode=0o700)
            lock = _locked(unseen)
            unseen.rename(self._root / name)
        except OSError as e:
            raise ConfigurationError(
                f"the journal of conversations cannot be in {self._root} ({e.strerror}): set JOURNAL_DIR to a folder"
            ) from e
        assert lock is not None, "nobody else knows of it"
        return Folder(self._root / name, lock)

    def orphan(self, name: str) -> Folder | None:
        """The folder of a replica that is dead. None: it lives, or somebody else has it."""
        path = self._root / name
        try:
            lock = _locked(path)
            if lock is not None and not os.path.samestat(os.fstat(lock), os.stat(path / _LOCK)):
                os.close(lock)  # the folder was removed between being opened and being locked
                lock = None
        except OSError:
            return None
        return Folder(path, lock) if lock is not None else None

    def replicas(self) -> list[str]:
        return [name for name in _names(self._root) if _REPLICA.fullmatch(name)]

    def size(self) -> int:
        """Bytes of all conversations, in all folders."""
        return sum(_size(path) for name in self.replicas() for path, _ in _files(self._root / name))

    # ---- conversations

    def holds(self, conversation_id: str) -> bool:
        return bool(self._files_of(conversation_id))

    def records(self, conversation_id: str) -> list[Record]:
        """What all folders have of it, in no order, some of it twice."""
        found: list[Record] = []
        for path, _ in self._files_of(conversation_id):
            try:
                found.extend(journal_file.records(conversation_id, path.read_bytes()))
            except OSError:  # stored, and gone
                continue
        return found

    def newest_files(self) -> dict[str, int]:
        """The epochs of the newest files of all conversations."""
        return _newest(claim for name in self.replicas() for _, claim in _files(self._root / name))

    # ---- epochs

    def epochs(self) -> dict[str, int]:
        """The epochs of conversations that were taken over on this node."""
        return _newest(claim for _, claim in self._begun())

    def epoch(self, conversation_id: str) -> int:
        of_files = (claim.epoch for _, claim in self._files_of(conversation_id))
        return max(0, self.epochs().get(conversation_id, 0), *of_files)

    def take_over(self, conversation_id: str, epoch: int) -> bool:
        """Whether it is the caller's now, on this node: of any number who want the same epoch, one gets it. Raises
        OSError: the disk has no room for an empty file."""
        if self.epoch(conversation_id) >= epoch:
            return False
        try:
            os.close(os.open(self._epochs / f"{conversation_id}.{epoch}", os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        return self.epoch(conversation_id) == epoch

    def give_back(self, conversation_id: str, epoch: int) -> None:
        """This epoch and those before are over, or have never begun."""
        for path, claim in self._begun():
            if claim.conversation_id == conversation_id and claim.epoch <= epoch:
                path.unlink(missing_ok=True)

    def _begun(self) -> Iterator[tuple[Path, Claim]]:
        for name in _names(self._epochs):
            if claim := _claim(self._epochs / name):
                yield self._epochs / name, claim

    def _files_of(self, conversation_id: str) -> list[tuple[Path, Claim]]:
        found = [each for name in self.replicas() for each in _files(self._root / name)]
        return [each for each in found if each[1].conversation_id == conversation_id]


def is_name(conversation_id: str) -> bool:
    """Whether it can be a file's: clients send conversations' ids too."""
    return _ID.fullmatch(conversation_id) is not None


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # adopted, and gone; or there are too many open files, and the next look will tell
        return []


def _files(folder: Path) -> Iterator[tuple[Path, Claim]]:
    for name in _names(folder):
        if name.endswith(_SUFFIX) and (claim := _claim(folder / name)):
            yield folder / name, claim


def _claim(path: Path) -> Claim | None:
    parts = _IN_EPOCH.fullmatch(path.name)
    return Claim(parts[1], int(parts[2]), path.parent.name) if parts else None


def _newest(claims: Iterable[Claim]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for claim in claims:
        newest[claim.conversation_id] = max(claim.epoch, newest.get(claim.conversation_id, 0))
    return newest


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _locked(folder: Path) -> int | None:
    """The descriptor of its lock, if it was free. Raises OSError."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
