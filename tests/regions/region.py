"""A region on one machine: a head, a node for gateways, GPU nodes by number and label, and a fake Groq that hears."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from serve_app.serve_config.files import config_of, tree_of
from serve_app.serve_config.overlay import layered
from tests.acceptance.server import Server, launcher, stop, wait_until_ready
from tests.chaos.node import Node
from tests.chaos.server import deploy, deployments, free_port
from tests.fakes.groq_server import FakeGroq
from tests.regions.serve_state import Labels, Scale, node_labels, scales

NAME = "sa-east-1"
SHIPPED = config_of(NAME)
OVERLAY = Path(__file__).with_name("cluster.yaml")
DRAIN_S = 160
"""What a gateway that goes gives its calls: of it the last 60 s are for those that have not ended by themselves. Longer
than any call here, as a region's 660 s are."""
JOINS_WITHIN_S, ASKS_AGAIN_S = 120.0, 0.1
HEARD, ANSWER = "quero ver o meu saldo", "Certo"


class NodeKind(NamedTuple):
    """What a node has, as Ray is told."""

    region: str
    group: str
    cpus: int
    gpus: int = 0
    market: str = "on-demand"

    @property
    def options(self) -> tuple[str, ...]:
        labels = {
            "ray.io/availability-region": self.region,
            "ray.io/node-group": self.group,
            "ray.io/market-type": self.market,
        }
        told = ",".join(f"{key}={value}" for key, value in labels.items())
        return f"--num-cpus={self.cpus}", f"--num-gpus={self.gpus}", f"--labels={told}"


NODES = (
    NodeKind(NAME, "gateway", cpus=4),
    NodeKind(NAME, "gpu", cpus=1, gpus=1, market="spot"),
    NodeKind(NAME, "gpu", cpus=1, gpus=1),
    NodeKind("us-east-1", "gpu", cpus=1, gpus=1, market="spot"),
)
"""The last one is not for this region's replicas. A replica of LocalWhisper takes GPU_SHARE: three need both nodes."""
GPU_SHARE = 0.5


@dataclass(frozen=True)
class Region:
    """`nodes`: labels by Ray's id of the node. `config` is changed, and deployed."""

    server: Server
    groq: FakeGroq
    dashboard: str
    config: dict[str, Any]
    nodes: Mapping[str, Labels]

    @property
    def deployments(self) -> dict[str, dict[str, Any]]:
        return deployments(self.config)

    async def scales(self) -> dict[str, Scale]:
        """Of every deployment. While Serve builds the application anew it tells of none, and is asked again."""
        for _ in count():
            found = await asyncio.to_thread(scales, self.dashboard)
            if found.keys() >= self.deployments.keys():
                break
            await asyncio.sleep(ASKS_AGAIN_S)
        return found

    async def use_gpus(self) -> None:
        """From now on. LocalWhisper sleeps, so nothing is restarted."""
        self.deployments["LocalWhisper"]["ray_actor_options"]["num_gpus"] = GPU_SHARE
        await self.deploy()

    async def deploy(self) -> None:
        await deploy(self.server, self.dashboard, self.config)


@contextmanager
def running_region() -> Iterator[Region]:
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="hello-")))
        groq = closing.enter_context(
            FakeGroq(hear=lambda _: HEARD, answer=lambda said: f"{ANSWER}: {said[-1]['content']}")
        )
        groq.transcription = {"language": "Portuguese"}  # as the callers' phrases, and the answers to them
        config, dashboard = region_config(), free_port()
        path = folder / "region.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        settings = {
            "GROQ_API_KEY": "key-of-the-fake",
            "GROQ_BASE_URL": groq.url,
            "DASHBOARD": str(dashboard),
            "REGION": NAME,
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_S),
        }
        server = closing.enter_context(launcher(folder, config=path, **settings))
        url = f"http://127.0.0.1:{dashboard}"
        joined, nodes = _joined(1, url, server), []
        for number, kind in enumerate(NODES, start=2):  # one at a time: all at once would be late, each of them
            nodes.append(Node(server.mark, folder / f"journal {number}", kind.options))
            joined = _joined(number, url, server)
        wait_until_ready(server)
        yield Region(server, groq, url, config, joined)
        for node in nodes:
            node.kill()
        stop(server)
        shutil.rmtree((folder / "run").resolve())  # its logs, of no use after a success


def _joined(nodes: int, dashboard: str, server: Server) -> Mapping[str, Labels]:
    """So many, when they are there."""
    deadline = time.monotonic() + JOINS_WITHIN_S
    while len(found := _nodes(dashboard)) < nodes:
        assert server.process.poll() is None, f"the server exited:\n{server.log}"
        assert time.monotonic() < deadline, f"{len(found)} of {nodes} nodes have joined:\n{server.log}"
        time.sleep(0.2)
    return found


def _nodes(dashboard: str) -> Mapping[str, Labels]:
    """None while it does not answer yet."""
    try:
        return node_labels(dashboard)
    except OSError:
        return {}


def region_config() -> dict[str, Any]:
    """The region's, with OVERLAY over it."""
    config: dict[str, Any] = layered([tree_of(SHIPPED), tree_of(OVERLAY)]).plain
    return config
