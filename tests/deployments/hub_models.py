"""A hub with one Whisper model, the bundled one under another name, and the thread that fetches it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from deployments.whisper_weights import BUNDLED_FOLDER
from tests.fakes.hub_server import FakeHub

NAME = "acme/faster-whisper"
NEEDED = {path.name: path.read_bytes() for path in sorted(BUNDLED_FOLDER.iterdir())}
OTHER = {"README.md": b"# A model", "pytorch_model.bin": bytes(10)}


@contextmanager
def hub_of(files: Mapping[str, bytes] = NEEDED) -> Iterator[FakeHub]:
    with FakeHub({NAME: {**OTHER, **files}}) as hub:
        yield hub


def await_improvement() -> None:
    """Until the recogniser's thread has ended: it has what it wanted, or has given up."""
    for thread in threading.enumerate():
        if thread.name == "whisper-model":
            thread.join(60)
            assert not thread.is_alive()
