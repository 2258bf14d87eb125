"""The region on this machine: a head and a gateway node, each in a network namespace, started by cluster.yaml's own
commands and the scripts they call. AWS and systemd are the fakes of bin/; the rest is real.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from serve_app.serve_config.overlay import layered
from serve_app.serve_config.tree import read
from serve_app.store import embedded
from tests.cluster.network import Network, network
from tests.cluster.redis import PASSWORD, running_redis
from tests.cluster.template import REPOSITORY, cluster, start_commands

REGION = "sa-east-1"
ADDRESSES = {
    "head": "10.0.1.10",
    "gateway": "10.0.1.20",
    "balancer": "10.0.1.30",
    "prometheus": "10.0.1.40",
    "redis": "10.0.1.50",
    "world": "10.0.1.60",
}
GROUPS = {
    "NodeGroup": ("head", "gateway"),
    "LoadBalancerGroup": ("balancer",),
    "MonitoringGroup": ("prometheus",),
    "RedisGroup": ("redis",),
}
MARK = "RAY_HELLO_TEST_MARK"
"""An environment variable of every process of a node; as-service hands on those that begin with RAY_."""
GET = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], 8000, timeout=5)
connection.request("GET", sys.argv[2])
print(connection.getresponse().status)
"""
SHIPPED = REPOSITORY / "configs" / f"{REGION}.yaml"
OVERLAY = Path(__file__).with_name("two-nodes.yaml")
BIN = Path(sys.executable).parent
HAPROXY_FILES = {
    "CONFIG_FILE_LOC": "config",
    "SOCKET_PATH": "admin",
    "METRICS_SOCKET_PATH": "metrics",
    "SERVER_STATE_FILE": "state",
    "SERVER_STATE_BASE": "",
}
START_S = 120.0
AUTOSCALER = "--autoscaling-config=~/ray_bootstrap_config.yaml"
"""There is no AWS here to start nodes at."""
TOKEN = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Region:
    """`folder` holds a folder for each node: its disk, its home, its log."""

    folder: Path
    network: Network
    mark: str

    def start(self, node: str) -> None:
        """What the launcher does there, once the node is set up. Fails with what the node says."""
        kind = "head" if node == "head" else "worker"
        command = start_commands()[kind].replace("/data", str(self.folder / node)).replace(AUTOSCALER, "")
        done = subprocess.run(
            self.network.inside(node, ["bash", "-c", command]),
            env=self.environment(node),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{node} did not start:\n{done.stdout}"

    def log(self, node: str) -> str:
        """What the service `ray` has said there."""
        return (self.folder / node / "log").read_text(encoding="utf-8")

    def run(self, node: str, *command: str) -> str:
        """What an operator's command prints there. Fails when it does."""
        done = subprocess.run(
            self.network.inside(node, command),
            env=self.environment(node),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def deploy(self) -> None:
        path = self.folder / "region.yaml"
        trees = [read(each.read_text(encoding="utf-8"))[0] for each in (SHIPPED, OVERLAY)]
        path.write_text(yaml.safe_dump(layered(trees).plain), encoding="utf-8")
        self.run("head", str(BIN / "serve"), "deploy", str(path))

    def _readiness(self) -> int:
        """The gateway's status for /readyz, asked from the head; 0 when there is no connection."""
        done = subprocess.run(
            self.network.inside("head", [sys.executable, "-c", GET, self.network.addresses["gateway"], "/readyz"]),
            capture_output=True,
            text=True,
            check=False,
        )
        return int(done.stdout or 0)

    def await_calls(self) -> None:
        deadline = time.monotonic() + START_S
        while self._readiness() != 200:
            assert time.monotonic() < deadline, self.run("head", str(BIN / "serve"), "status")
            time.sleep(0.5)

    def pids(self, node: str | None = None) -> list[int]:
        """Of every process of that node, or of all."""
        entry = f"{MARK}={self.mark}-{node or ''}".encode()
        found = []
        for process in Path("/proc").iterdir():
            try:
                environment = (process / "environ").read_bytes().split(b"\0") if process.name.isdigit() else []
            except OSError:
                continue  # gone
            if any(each == entry or (node is None and each.startswith(entry)) for each in environment):
                found.append(int(process.name))
        return found

    def kill(self, node: str | None = None) -> None:
        """All of it at once, what would start it anew first."""
        for service in [node] if node else ("head", "gateway"):
            pid = self.folder / service / "pid"
            if pid.exists():
                _kill(int(pid.read_text()))
        while pids := self.pids(node):
            for each in pids:
                _kill(each)
            time.sleep(0.05)

    def environment(self, node: str) -> dict[str, str]:
        kind = "head" if node == "head" else "gateway"
        described = cluster()["available_node_types"][kind]
        disk = self.folder / node
        return {
            # what the launcher tells a node of itself
            "RAY_HEAD_IP": ADDRESSES["head"],
            "RAY_NODE_TYPE_NAME": kind,
            "RAY_CLOUD_INSTANCE_ID": f"i-{node}",
            "RAY_OVERRIDE_RESOURCES": json.dumps(described["resources"]),
            "RAY_OVERRIDE_LABELS": json.dumps(described["labels"]),
            # each has a folder of its own in there
            **{f"RAY_SERVE_HAPROXY_{name}": str(self.folder / file) for name, file in HAPROXY_FILES.items()},
            MARK: f"{self.mark}-{node}",
            "HOME": str(disk / "home"),
            "PATH": f"{Path(__file__).with_name('bin')}:{os.environ['PATH']}",
            "FAKE_AWS": str(self.folder / "aws"),
            "FAKE_SYSTEMD": str(disk),
            "FAKE_KEEPS": "FAKE_AWS PATH",
            "RAY_AUTH_MODE": "token",
        }


@contextmanager
def running_region() -> Iterator[Region]:
    """It takes calls."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="hello-", ignore_cleanup_errors=True)))
        built = closing.enter_context(network(ADDRESSES, GROUPS))
        database = embedded.start(folder / "postgres")
        closing.callback(database.stop)
        redis = closing.enter_context(running_redis(built, folder / "redis"))
        keys = {
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_REDIS_ADDRESS": redis.url,
            "RAY_REDIS_PASSWORD": PASSWORD,
            "DATABASE_URL": database.url,
            "SIGNING_SECRET": uuid.uuid4().hex,
        }
        _fill_aws(folder / "aws", keys)
        region = Region(folder, built, uuid.uuid4().hex)
        closing.callback(region.kill)
        for node in ("head", "gateway"):
            _set_up(folder / node, redis.authorities)
            region.start(node)
        region.deploy()
        region.await_calls()
        yield region


def _fill_aws(folder: Path, keys: Mapping[str, str]) -> None:
    for name, text in {
        f"secrets/hello/{REGION}": json.dumps(keys),
        f"target-groups/{cluster()['cluster_name']}": "",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")


def _set_up(disk: Path, authorities: Path) -> None:
    """What setup-node and the launcher's copies leave on a node, its disk being `disk` and not /data."""
    hello = disk / "home" / "hello"
    shutil.copytree(REPOSITORY / "configs", hello / "configs")
    (hello / ".venv").symlink_to(REPOSITORY / ".venv")
    settings = hello / "configs" / "aws" / "node.env"
    text = settings.read_text(encoding="utf-8").replace("/data", str(disk))
    settings.write_text(re.sub("(RAY_REDIS_CA_CERT)=.*", rf"\1={authorities}", text), encoding="utf-8")


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
