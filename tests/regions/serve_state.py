"""What Serve says of its replicas, and Ray of its nodes: the dashboard's REST API, as an operator would ask it."""

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

TOKEN = Path("~/.ray/auth_token").expanduser()
Labels = Mapping[str, str]


class Replica(NamedTuple):
    """`state` by Serve's name: STARTING, RUNNING, STOPPING... `node_id`: empty while it has no node."""

    id: str
    state: str
    node_id: str


class Scale(NamedTuple):
    """Of one deployment: how many replicas Serve wants, and those there are."""

    target: int
    replicas: tuple[Replica, ...]

    @property
    def running(self) -> tuple[Replica, ...]:
        return tuple(each for each in self.replicas if each.state == "RUNNING")


def scales(dashboard: str) -> dict[str, Scale]:
    """By deployment. Raises OSError."""
    return parsed_scales(_get(f"{dashboard}/api/serve/applications/"))


def parsed_scales(details: Mapping[str, Any]) -> dict[str, Scale]:
    """From Serve's answer."""
    return {
        name: Scale(deployment["target_num_replicas"], tuple(map(_replica, deployment["replicas"])))
        for application in details["applications"].values()
        for name, deployment in application["deployments"].items()
    }


def _replica(told: Mapping[str, Any]) -> Replica:
    return Replica(told["replica_id"], told["state"], told.get("node_id") or "")


def node_labels(dashboard: str) -> dict[str, Labels]:
    """By the node's id, of those that are alive. Raises OSError."""
    nodes = _get(f"{dashboard}/api/v0/nodes?detail=1")["data"]["result"]["result"]
    return {node["node_id"]: node["labels"] for node in nodes if node["state"] == "ALIVE"}


def _get(url: str) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN.read_text(encoding='utf-8').strip()}"}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # http_proxy is not for 127.0.0.1
    with direct.open(urllib.request.Request(url, headers=headers), timeout=10) as response:
        return json.load(response)
