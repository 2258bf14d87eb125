from typing import Any

import yaml

from serve_app.drain import MOVING_S
from serve_app.serve_config.check import check
from tests.chaos.server import deployments
from tests.regions.region import DRAIN_S, GPU_SHARE, NAME, NODES, region_config
from tests.regions.updates import CODE_LASTS_S
from tests.regions.wave import LASTS_S


def test_the_launcher_takes_the_config() -> None:
    _, problems = check(yaml.safe_dump(region_config()))
    assert not problems


def test_what_decides_where_whisper_goes_is_the_region_s_own() -> None:
    options: dict[str, Any] = deployments(region_config())["LocalWhisper"]["ray_actor_options"]
    assert options["label_selector"] == {"ray.io/availability-region": NAME, "ray.io/node-group": "gpu"}
    assert "fallback_strategy" not in options


def test_there_is_room_for_an_update_while_the_last_ones_drain() -> None:
    """Three generations of replicas at once."""
    found = deployments(region_config())
    del found["LocalWhisper"]
    each = [one["ray_actor_options"]["num_cpus"] * one["autoscaling_config"]["max_replicas"] for one in found.values()]
    assert 3 * sum(each) <= sum(node.cpus for node in NODES if node.group == "gateway")


def test_three_that_hear_need_both_nodes() -> None:
    most = deployments(region_config())["LocalWhisper"]["autoscaling_config"]["max_replicas"]
    nodes = [node for node in NODES if (node.region, node.gpus) == (NAME, 1)]
    assert len(nodes) - 1 < most * GPU_SHARE <= len(nodes)


def test_a_call_has_time_to_end_on_a_gateway_that_goes() -> None:
    assert max(*LASTS_S, CODE_LASTS_S) < DRAIN_S - MOVING_S
