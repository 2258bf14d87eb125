"""The decisions are Serve's own: compared with what Serve makes of the same contexts, on a clock of ours."""

import random
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from ray.serve import autoscaling_policy
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from serve_app.errors import ConfigurationError
from serve_app.planning.autoscaler import Autoscaler, Contexts, by_queue_length, policy_named
from tests.planning.small_region import autoscaling

WHO = DeploymentID("Gateway", "hello")
CONFIGS = (
    autoscaling(1, 6, 10),
    autoscaling(0, 4, 2, downscale_to_zero_delay_s=90, upscaling_factor=0.5),
    autoscaling(2, 9, 3, downscaling_factor=0.3, upscale_delay_s=0, downscale_delay_s=0),
)


@dataclass
class Clock:
    """In the place of the module `time` in Serve's policies."""

    now: float = 0.0

    def time(self) -> float:
        return self.now


def context(
    config: AutoscalingConfig, running: int, target: int, work: float, state: dict[str, Any]
) -> AutoscalingContext:
    return AutoscalingContext(
        deployment_id=WHO,
        deployment_name=WHO.name,
        app_name=WHO.app_name,
        current_num_replicas=running,
        target_num_replicas=target,
        running_replicas=[ReplicaID(str(number), WHO) for number in range(running)],
        total_num_requests=work,
        total_queued_requests=0.0,
        aggregated_metrics={},
        raw_metrics={},
        capacity_adjusted_min_replicas=config.min_replicas,
        capacity_adjusted_max_replicas=config.max_replicas,
        policy_state=state,
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=0.0,
        config=config,
    )


@pytest.mark.parametrize("config", CONFIGS)
def test_it_decides_as_serve_does(config: AutoscalingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, chance = Clock(), random.Random(3)
    monkeypatch.setattr(autoscaling_policy, "time", SimpleNamespace(time=clock.time))
    serves = autoscaling_policy._apply_app_level_autoscaling_config(by_queue_length)
    ours = Autoscaler(by_queue_length)
    states: dict[DeploymentID, dict[str, Any]] = {}
    target = running = config.min_replicas
    seen = set()
    for _ in range(2000):
        clock.now += chance.choice([0.1, 1.0, 30.0])
        work = chance.choice([0.0, 1.0, 5.0, 25.0, 80.0])
        decisions, states = serves({WHO: context(config, running, target, work, states.get(WHO, {}))})
        bounded = max(config.min_replicas, min(config.max_replicas, decisions[WHO]))
        mine = ours.decide({WHO: context(config, running, target, work, ours.states.get(WHO, {}))}, clock.now)
        assert mine == {WHO: bounded}
        assert ours.states == states
        target, running = bounded, chance.choice([running, bounded])
        seen.add(target)
    assert len(seen) > 2


def test_whom_the_policy_has_no_word_for_stays() -> None:
    def silent(contexts: Contexts) -> tuple[dict[DeploymentID, float], None]:
        return {}, None

    assert Autoscaler(silent).decide({WHO: context(CONFIGS[0], 2, 2, 90.0, {})}, 0.0) == {}


@pytest.mark.parametrize("path", ["serve_app.scaling.policy:scale", "serve_app.scaling.policy.scale"])
def test_a_policy_is_found_as_serve_finds_it(path: str) -> None:
    assert policy_named(path).__name__ == "scale"
    assert policy_named(None) is by_queue_length


@pytest.mark.parametrize("path", ["serve_app.scaling.policy:scales", "serve_app.no_such:scale", "scale"])
def test_one_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(ConfigurationError, match=path):
        policy_named(path)
