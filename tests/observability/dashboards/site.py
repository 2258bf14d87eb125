"""The server as it is for three minutes: two gateways, providers that fail now and then, and Prometheus beside it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.acceptance.server import REPOSITORY, Server, running_server
from tests.chaos.postgres import Postgres
from tests.fakes.groq_server import Behaviour, FakeGroq
from tests.faults.flaky_elevenlabs import FlakyElevenLabs
from tests.observability.dashboards.prometheus import Prometheus, free_port, running_prometheus

GATEWAYS = 2
MODELS = {"LLM_MODEL": "first", "LLM_BACKUP_MODEL": "second"}
ERROR_RATE = 0.05
"""Of the first model's answers, and of the voice's."""


class Site(NamedTuple):
    server: Server
    database_url: str
    prometheus: Prometheus
    models: FakeGroq


@contextmanager
def running_site() -> Iterator[Site]:
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="hello-")))
        postgres = Postgres(folder / "postgres")
        closing.callback(postgres.stop)
        models = closing.enter_context(FakeGroq())
        voices = closing.enter_context(FlakyElevenLabs(seed=1))
        models.behaviours = {
            "first": Behaviour(error_rate=ERROR_RATE, delay_s=0.1, jitter_s=0.2),
            "second": Behaviour(delay_s=0.1),
        }
        voices.error_rate = ERROR_RATE
        haproxy = free_port()
        settings = {
            "DATABASE_URL": postgres.url,
            "DASHBOARD": str(free_port()),
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(haproxy),
            "LLM_BASE_URL": models.chat_url,
            "LLM_API_KEY": "unused",
            **MODELS,
            "ELEVENLABS_API_KEY": "unused",
            "ELEVENLABS_BASE_URL": voices.url,
            "AGENTS_DIR": str(guarded_agents(folder / "agents")),
        }
        server = closing.enter_context(running_server(folder, config=two_gateways(folder), **settings))
        discovered = folder / "run" / "prom_metrics_service_discovery.json"
        prometheus = closing.enter_context(running_prometheus(folder, discovered, haproxy))
        yield Site(server, postgres.url, prometheus, models)


def two_gateways(folder: Path) -> Path:
    config: dict[str, Any] = yaml.safe_load((REPOSITORY / "configs" / "local.yaml").read_text(encoding="utf-8"))
    gateway = next(each for each in config["applications"][0]["deployments"] if each["name"] == "Gateway")
    gateway["autoscaling_config"] |= {"min_replicas": GATEWAYS, "max_replicas": GATEWAYS}
    path = folder / "two.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def guarded_agents(folder: Path) -> Path:
    """The shipped ones, with an eye on attacks."""
    shutil.copytree(REPOSITORY / "configs" / "agents", folder)
    for path in folder.glob("*.yaml"):
        agent = yaml.safe_load(path.read_text(encoding="utf-8"))
        agent.setdefault("platform_settings", {})["guardrails"] = {"prompt_injection": {"is_enabled": True}}
        path.write_text(yaml.safe_dump(agent), encoding="utf-8")
    return folder
