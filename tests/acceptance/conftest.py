"""One server for all acceptance tests of a run: the real thing, started as `make run` starts it.

It lives as long as this package's tests: beside the others, Ray would keep two cores too busy for tests that wait.
Its agents without a language model of their own are answered by the offline agent, those in `agents/` by a fake one.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.agents_folder import write_agents
from tests.acceptance.language_model import answer
from tests.acceptance.server import API_KEY, Server, running_server
from tests.acceptance.tap import Tap
from tests.fakes.groq_server import FakeGroq
from tests.fakes.otlp_receiver import OtlpReceiver
from tests.fakes.webhook_server import FakeWebhook


@pytest.fixture(scope="package")
def language_model() -> Iterator[FakeGroq]:
    with FakeGroq(answer=answer) as model:
        yield model


@pytest.fixture(scope="package")
def webhook() -> Iterator[FakeWebhook]:
    with FakeWebhook() as server:
        yield server


@pytest.fixture(scope="package")
def collector() -> Iterator[OtlpReceiver]:
    """Of the spans of all calls."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def server(language_model: FakeGroq, webhook: FakeWebhook, collector: OtlpReceiver) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        agents = write_agents(Path(folder) / "agents", LLM_URL=language_model.chat_url, WEBHOOK_URL=webhook.url)
        settings = {"AGENTS_DIR": str(agents), "API_KEYS": API_KEY, "ORDERS_TOKEN": "Bearer orders"}
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}
        with running_server(Path(folder), **settings, **traces) as running:
            yield running


@pytest.fixture(scope="package")
def tap(server: Server) -> Iterator[Tap]:
    """Between all official clients and the server: every frame of every run is looked at in the end."""
    port = urlsplit(server.url).port
    assert port
    with Tap(port) as tap:
        yield tap
