"""A region is read from the file that is deployed."""

from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.planning.region import GATEWAY, WHISPER, deployment_from, read_region
from serve_app.serve_config.files import region_config

NUMBERS = {"min_replicas": 1, "max_replicas": 3, "target_ongoing_requests": 5, "metrics_interval_s": 1}


def test_the_deployed_numbers_are_read() -> None:
    region = read_region(region_config("sa-east-1"))
    gateway = region.deployments[GATEWAY]
    assert gateway.autoscaling.get_target_ongoing_requests() < region.conversations
    assert gateway.needs.selectors[0]["ray.io/node-group"] == "gateway"
    assert region.deployments[WHISPER].needs.gpus > 0
    assert region.wishes.timezone == "America/Sao_Paulo"
    assert region.policy == "serve_app.scaling.policy:scale"


def test_what_the_strict_check_refuses_is_refused_here(tmp_path: Path) -> None:
    path = tmp_path / "sa-east-1.yaml"
    path.write_text(region_config("sa-east-1").read_text().replace("max_replicas:", "max_replica:", 1))
    with pytest.raises(ConfigurationError, match=r"sa-east-1\.yaml:\d+: .*max_replica"):
        read_region(path)


def test_a_replica_without_resources_takes_a_processor() -> None:
    deployment = deployment_from({"name": "Vad", "autoscaling_config": NUMBERS})
    assert (deployment.needs.cpus, deployment.needs.gpus, deployment.surge) == (1, 0, 0)
    assert list(deployment.needs.selectors) == [{}]


def test_one_says_which_nodes_it_wants_and_how_many_may_share_one() -> None:
    selectors = [{"ray.io/market-type": "spot"}, {"ray.io/market-type": "on-demand"}]
    options = {"label_selector": selectors[0], "fallback_strategy": [{"label_selector": selectors[1]}]}
    given = {"name": "Vad", "autoscaling_config": NUMBERS, "ray_actor_options": options, "max_replicas_per_node": 2}
    needs = deployment_from(given).needs
    assert list(needs.selectors) == selectors
    assert (needs.deployment, needs.most_a_node) == ("Vad", 2)


@pytest.mark.parametrize("options", [None, {"label_selector": None, "fallback_strategy": None}])
def test_what_is_left_empty_is_no_wish(options: dict[str, None] | None) -> None:
    given = {"name": "Vad", "autoscaling_config": NUMBERS, "ray_actor_options": options}
    assert list(deployment_from(given).needs.selectors) == [{}]
