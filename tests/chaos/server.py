"""The application under fault: started as `make run` starts it, with a database and a journal that faults can reach."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.acceptance.server import REPOSITORY, Server, running_server
from tests.chaos.node import Node
from tests.chaos.parts import Pids, parts
from tests.chaos.postgres import Postgres

CONFIG = REPOSITORY / "configs" / "local.yaml"
JOURNAL_BYTES = 32 * 1024 * 1024
DRAIN_S, SHUTDOWN_S = 20, 10
"""What a gateway that is replaced has for its calls here, seconds and not minutes, and then to end."""


@dataclass
class Site:
    """A running server and its database. `journal_disk`: the small file system its journal is on, if it is; `nodes`:
    those besides the first."""

    server: Server
    postgres: Postgres
    dashboard: str
    config: dict[str, Any]
    journal_disk: Path | None
    nodes: list[Node] = field(default_factory=list)

    @property
    def parts(self) -> Pids:
        return parts(self.server.mark)

    def ready(self) -> bool:
        """By its own word, the store with it."""
        try:
            with urllib.request.urlopen(f"{self.server.url}/readyz", timeout=5) as response:
                return b"does not answer" not in response.read()
        except (OSError, ValueError):
            return False

    @property
    def deployments(self) -> dict[str, dict[str, Any]]:
        """The config's, by name, to be changed before it is deployed."""
        return deployments(self.config)

    def add_node(self) -> Node:
        node = Node(self.server.mark, self.server.data_dir / f"journal of node {len(self.nodes) + 2}")
        self.nodes.append(node)
        return node

    async def deploy(self) -> None:
        await deploy(self.server, self.dashboard, self.config)


async def deploy(server: Server, dashboard: str, config: dict[str, Any]) -> None:
    """`serve deploy`, as an operator does it, with the server's own port."""
    path = server.data_dir / "config.yaml"
    config["http_options"]["port"] = urlsplit(server.url).port
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("serve")), "deploy", "-a", dashboard, str(path)]
    environment = {**os.environ, "RAY_AUTH_MODE": "token"}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@contextmanager
def running_site() -> Iterator[Site]:
    """With one gateway."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="hello-")))
        disk = closing.enter_context(small_disk(folder / "journal"))
        postgres = Postgres(folder / "postgres")
        closing.callback(postgres.stop)
        config, dashboard = config_of_a_site(), free_port()
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        settings = {
            "DATABASE_URL": postgres.url,
            "JOURNAL_DIR": str(folder / "journal"),
            "DASHBOARD": str(dashboard),
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_S),
        }
        server = closing.enter_context(running_server(folder, config=path, **settings))
        yield Site(server, postgres, f"http://127.0.0.1:{dashboard}", config, disk)


def config_of_a_site() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["proxy_location"] = "HeadOnly"  # two nodes on one machine cannot both have its port
    deployments(config)["Gateway"]["graceful_shutdown_timeout_s"] = DRAIN_S + SHUTDOWN_S
    return config


def deployments(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in config["applications"][0]["deployments"]}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own in `folder`, so that it can be filled. Only root may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={JOURNAL_BYTES}", "hello", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
