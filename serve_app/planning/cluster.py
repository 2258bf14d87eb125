"""The machines that a region may rent, from cluster.yaml, read as Ray's cluster launcher reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import ValidationError
from ray.autoscaler._private.util import validate_config

from serve_app.errors import ConfigurationError
from serve_app.planning.layers import layer, placed
from serve_app.planning.nodes import NodeType
from serve_app.planning.traffic import Machine
from serve_app.serve_config.problem import refuse
from serve_app.serve_config.whereabouts import problem_at

NEEDED = ("head_node_type", "available_node_types", "max_workers", "idle_timeout_minutes")


@dataclass(frozen=True)
class Cluster:
    """`at_most`: nodes of all kinds together. `idle_s`: how long a node without replicas is kept."""

    kinds: tuple[NodeType, ...]
    at_most: int
    idle_s: float


def cluster_file(folder: Path, region: str) -> Path:
    """The region's own, if it has one: docs/regions.md makes it as a copy of cluster.yaml."""
    own = folder / f"cluster.{region}.yaml"
    return own if own.exists() else folder / "cluster.yaml"


def read_cluster(path: Path, region: str, machines: Mapping[str, Machine]) -> Cluster:
    """`path` may be written for another region: its name is replaced, as in such a copy.

    Raises ConfigurationError for a file that is missing or that the launcher would refuse, and if `machines` do not say
    of every node type what it costs and how long it takes, or of one that there is not.
    """
    raw = _taken_by_ray(path)
    types = raw["available_node_types"]
    if sorted(types) != sorted(machines):
        raise ConfigurationError(
            f"nodes: those of {path} are {', '.join(types)}, so give a start_s and a price to each, and to no other"
        )
    return Cluster(
        kinds=tuple(_kind(name, raw, region, machines[name]) for name in types),
        at_most=raw["max_workers"] + 1,  # the head is no worker
        idle_s=raw["idle_timeout_minutes"] * 60.0,
    )


def _taken_by_ray(path: Path) -> dict[str, Any]:
    tree = layer(path)
    refuse(path, [problem_at(tree, (key,), "it is missing") for key in NEEDED if key not in tree.entries])
    raw: dict[str, Any] = tree.plain
    try:
        validate_config({"cluster_synced_files": [], **raw})  # which the launcher adds
    except ValidationError as e:
        raise ConfigurationError(placed(e.message, tuple(e.absolute_path), {path: tree})) from e
    except ValueError as e:
        raise ConfigurationError(placed(str(e), (), {path: tree})) from e
    return raw


def _kind(name: str, raw: Mapping[str, Any], region: str, machine: Machine) -> NodeType:
    given, head = raw["available_node_types"][name], name == raw["head_node_type"]
    written_for = raw["provider"].get("region")
    return NodeType(
        name=name,
        labels={key: region if value == written_for else value for key, value in given.get("labels", {}).items()},
        cpus=given["resources"].get("CPU", 0),
        gpus=given["resources"].get("GPU", 0),
        at_least=1 if head else given.get("min_workers", 0),
        at_most=1 if head else given.get("max_workers", raw["max_workers"]),
        start_s=machine.start_s,
        price_an_hour=machine.price_an_hour,
        head=head,
        priority=given.get("priority", 0),
    )
