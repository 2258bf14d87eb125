"""Where finished segments are kept: a folder or an object store, by its URL."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from serve_app.errors import ConfigurationError, StoreError
from serve_app.recordings.segments import Segment

if TYPE_CHECKING:  # it is there for type checkers alone
    from obstore.store import ClientConfig

SUFFIX = ".flac"
ATTEMPTS_S = timedelta(seconds=10)
"""Of one request, with its repetitions. What is not kept today is tried again in the next round."""


class Archive:
    """Objects `<conversation id>/<segment>.flac`. Blocks: call it from threads. Raises StoreError when it is away.

    url: "file:///folder", "s3://bucket/prefix", "gs://..." or "az://..."; the keys to it are in the environment, under
    the names that their owners' own tools use.
    """

    def __init__(self, url: str) -> None:
        self._store = _store(url)

    def put(self, conversation_id: str, segment: Segment, data: bytes) -> None:
        """All of it or nothing; a second time changes nothing."""
        with _translated():
            obstore.put(self._store, _path(conversation_id, segment), data)

    def get(self, conversation_id: str, segment: Segment) -> bytes | None:
        with _translated():
            try:
                return bytes(obstore.get(self._store, _path(conversation_id, segment)).bytes())
            except FileNotFoundError:
                return None

    def segments(self, conversation_id: str) -> list[Segment]:
        with _translated():
            paths = [each["path"] for page in obstore.list(self._store, conversation_id) for each in page]
        names = (path.rpartition("/")[2].removesuffix(SUFFIX) for path in paths)
        return [segment for segment in map(Segment.parse, names) if segment]

    def delete(self, conversation_id: str, segments: Iterable[Segment]) -> None:
        for segment in segments:
            with _translated():
                try:
                    obstore.delete(self._store, _path(conversation_id, segment))
                except FileNotFoundError:
                    continue  # another has done it


def _store(url: str) -> ObjectStore:
    """Raises ConfigurationError."""
    try:
        if url.startswith("file:"):
            return LocalStore.from_url(url, mkdir=True, automatic_cleanup=True)
        options: ClientConfig = {"timeout": ATTEMPTS_S, "allow_http": True}  # where the endpoint is set to such a one
        return from_url(url, retry_config={"retry_timeout": ATTEMPTS_S}, client_options=options)
    except (BaseError, OSError, ValueError) as e:
        raise ConfigurationError(f"recordings cannot be kept in {url}: {str(e).partition(chr(10))[0]}") from e


def _path(conversation_id: str, segment: Segment) -> str:
    return f"{conversation_id}/{segment.name}{SUFFIX}"


@contextmanager
def _translated() -> Iterator[None]:
    """The first line of what they say: the others are the request, and the answer, at length."""
    try:
        yield
    except (BaseError, OSError) as e:
        raise StoreError(f"recordings: {str(e).partition(chr(10))[0]}") from e
