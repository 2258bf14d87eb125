"""The machines are those that Ray's launcher would rent."""

import shutil
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.planning.cluster import cluster_file, read_cluster
from serve_app.planning.region import read_region
from serve_app.planning.traffic import Machine, read_traffic
from serve_app.serve_config.files import CONFIGS, region_config, regions

CLUSTER = CONFIGS.parent / "cluster.yaml"
MACHINES = read_traffic(CONFIGS / "traffic" / "sa-east-1.yaml").nodes
LABEL = "ray.io/availability-region"
HEADS_LABELS = """    labels:
      ray.io/availability-region: sa-east-1
      ray.io/node-group: head
      ray.io/market-type: on-demand
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copy(CLUSTER, tmp_path))


def change(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)


@pytest.mark.parametrize("region", regions())
def test_they_are_the_regions_and_have_room_for_every_deployment(region: str) -> None:
    traffic = read_traffic(CONFIGS / "traffic" / f"{region}.yaml")
    kinds = read_cluster(CLUSTER, region, traffic.nodes).kinds
    assert {kind.labels[LABEL] for kind in kinds} == {region}
    for deployment in read_region(region_config(region)).deployments.values():
        needs = deployment.needs
        selector = needs.selectors[0]
        fitting = [kind for kind in kinds if all(kind.labels.get(key) == value for key, value in selector.items())]
        assert any(kind.cpus >= needs.cpus and kind.gpus >= needs.gpus for kind in fitting)


def test_there_is_one_head_and_it_takes_no_replicas() -> None:
    cluster = read_cluster(CLUSTER, "sa-east-1", MACHINES)
    assert [(kind.at_least, kind.at_most, kind.cpus) for kind in cluster.kinds if kind.head] == [(1, 1, 0)]
    assert cluster.idle_s == 600


def test_every_kind_wants_a_price() -> None:
    for machines in [{}, MACHINES | {"mainframe": Machine(1, 1)}]:
        with pytest.raises(ConfigurationError, match=r"nodes: those of .*cluster\.yaml are head, gateway"):
            read_cluster(CLUSTER, "sa-east-1", machines)


def test_the_order_of_preference_and_what_may_be_rented_are_read(copy: Path) -> None:
    change(copy, ("    max_workers: 8\n", ""), ("    priority: 10\n", "    priority: 7\n"))
    cluster = read_cluster(copy, "sa-east-1", MACHINES)
    kinds = {kind.name: kind for kind in cluster.kinds}
    assert cluster.at_most == 17  # max_workers of all together, and the head
    assert kinds["gateway"].at_most == 16  # as many as there may be of all, as Ray has it
    assert (kinds["gpu-on-demand"].priority, kinds["gpu-spot"].priority) == (7, 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("head_node_type: head", "head_node_type: haed", "head_node_type: `head_node_type` must be one of"),
        ("{CPU: 4}", '{CPU: "4"}', "available_node_types.gateway.resources.CPU: '4' is not of type"),
        ("    min_workers: 2", "    min_worker: 2", "available_node_types.gateway.min_worker: "),
        (HEADS_LABELS, "    labels: null\n", "available_node_types.head.labels: None is not of type"),
        ("max_workers: 16", "max_workers: 1", "max_workers: The specified global"),
        ("idle_timeout_minutes: 10", "idle_timeout_minutes: ten", "idle_timeout_minutes: 'ten' is not of type"),
    ],
)
def test_what_ray_would_refuse_is_told_with_its_line(copy: Path, old: str, new: str, said: str) -> None:
    before, _, _ = copy.read_text().partition(old)
    change(copy, (old, new))
    with pytest.raises(ConfigurationError) as raised:
        read_cluster(copy, "sa-east-1", MACHINES)
    assert raised.value.message.startswith(f"{copy}:{before.count(chr(10)) + 1}: {said}")


def test_what_is_missing_is_named(copy: Path) -> None:
    change(copy, ("max_workers: 16\n", ""))
    with pytest.raises(ConfigurationError, match=r"cluster\.yaml:1: max_workers: it is missing"):
        read_cluster(copy, "sa-east-1", MACHINES)


@pytest.mark.parametrize("text", ["available_node_types: {}", "provider: [", "- provider", ""])
def test_what_is_no_cluster_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"cluster\.yaml:[12]: "):
        read_cluster(path, "sa-east-1", MACHINES)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*nowhere\.yaml"):
        read_cluster(tmp_path / "nowhere.yaml", "sa-east-1", MACHINES)


def test_a_regions_own_file_is_the_one_that_is_read(copy: Path) -> None:
    assert cluster_file(copy.parent, "us-east-1") == copy
    own = copy.with_name("cluster.us-east-1.yaml")
    own.write_text(copy.read_text().replace("sa-east-1", "us-east-1"))
    assert cluster_file(copy.parent, "us-east-1") == own
    assert cluster_file(copy.parent, "sa-east-1") == copy
    assert read_cluster(own, "us-east-1", MACHINES) == read_cluster(copy, "us-east-1", MACHINES)
