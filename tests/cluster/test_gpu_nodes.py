"""Which GPU nodes Ray's autoscaler rents, by its own scheduler: what docs/regions.md says of markets."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.instance_manager.subscribers.cloud_resource_monitor import CloudResourceMonitor
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.common_pb2 import LabelSelectorOperator
from ray.core.generated.instance_manager_pb2 import Instance, InstanceUpdateEvent

from tests.cluster.template import CLUSTER, REPOSITORY, cluster, command_in_docs

CONFIG = REPOSITORY / "configs" / "sa-east-1.yaml"
SPOT, ON_DEMAND = "gpu-spot", "gpu-on-demand"
MARKET = "ray.io/market-type"


def whisper() -> dict[str, Any]:
    [application] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["applications"]
    [found] = [each for each in application["deployments"] if each["name"] == "LocalWhisper"]
    return dict(found)


WARM = whisper()["autoscaling_config"]["min_replicas"]
MOST = whisper()["autoscaling_config"]["max_replicas"]


def rented(
    replicas: int,
    config: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    availability: dict[str, float] | None = None,
) -> dict[str, int]:
    """GPU nodes by type, for that many replicas of LocalWhisper where there is no node yet."""
    options = options or whisper()["ray_actor_options"]
    config = copy.deepcopy(config or cluster())
    del config["auth"]["ssh_private_key"]  # a file that is hashed
    selectors = [options["label_selector"], *(each["label_selector"] for each in options.get("fallback_strategy", []))]
    demand = ResourceRequestUtil.make(
        {"CPU": options["num_cpus"], "GPU": options["num_gpus"]},
        label_selectors=[
            [(key, LabelSelectorOperator.LABEL_OPERATOR_IN, [value]) for key, value in each.items()]
            for each in selectors
        ],
    )
    launcher = AutoscalingConfig(config, skip_content_hash=True)
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs=launcher.get_node_type_configs(),
        max_num_nodes=launcher.get_max_num_nodes(),
        resource_requests=ResourceRequestUtil.group_by_count([demand] * replicas),
        cloud_resource_availabilities=availability or {},
        recoverable_resource_availabilities=availability or {},
    )
    reply = ResourceDemandScheduler().schedule(request)
    assert not reply.infeasible_resource_requests
    return {each.instance_type: each.count for each in reply.to_launch if each.instance_type in (SPOT, ON_DEMAND)}


def test_no_spot_is_needed() -> None:
    assert rented(WARM) == {ON_DEMAND: 1}
    assert rented(MOST) == {ON_DEMAND: 4}


@pytest.mark.parametrize(("number", "expected"), [(0, {SPOT: 4}), (1, {ON_DEMAND: 1, SPOT: 3}), (4, {ON_DEMAND: 4})])
def test_the_operators_command_chooses(tmp_path: Path, number: int, expected: dict[str, int]) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER.read_text(encoding="utf-8"), encoding="utf-8")
    command = command_in_docs("sed -i ").replace("max_workers: 1/", f"max_workers: {number}/")
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    changed = yaml.safe_load(path.read_text(encoding="utf-8"))
    shipped = cluster()
    assert changed["available_node_types"].pop(ON_DEMAND)["max_workers"] == number
    del shipped["available_node_types"][ON_DEMAND]
    assert changed == shipped
    assert rented(MOST, yaml.safe_load(path.read_text(encoding="utf-8"))) == expected


def test_what_ec2_refuses_is_not_remembered() -> None:
    """Were it, spot might come first: told that a type was not to be had, the scheduler rents of the other."""
    monitor = CloudResourceMonitor()
    event = InstanceUpdateEvent(instance_type=ON_DEMAND, new_instance_status=Instance.ALLOCATION_FAILED)
    monitor.notify([event])
    assert monitor.get_recoverable_resource_availabilities() == {}
    event.new_instance_status = Instance.ALLOCATION_TIMEOUT
    monitor.notify([event])
    assert rented(WARM, availability=monitor.get_recoverable_resource_availabilities()) == {SPOT: 1}


def test_a_fallback_rents_nothing() -> None:
    options = whisper()["ray_actor_options"]
    preferring = {
        **options,
        "label_selector": {**options["label_selector"], MARKET: "spot"},
        "fallback_strategy": [{"label_selector": {**options["label_selector"], MARKET: "on-demand"}}],
    }
    assert rented(WARM, options=preferring, availability={SPOT: 0.0}) == {SPOT: 1}
