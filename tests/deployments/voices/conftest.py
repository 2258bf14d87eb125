from collections.abc import Iterator

import pytest

from deployments.voices import elevenlabs_pool
from tests.fakes.elevenlabs_server import FakeElevenLabs


@pytest.fixture
def server() -> Iterator[FakeElevenLabs]:
    with FakeElevenLabs() as fake:
        yield fake


@pytest.fixture
def tended_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elevenlabs_pool, "TEND_EVERY_S", 0.02)
