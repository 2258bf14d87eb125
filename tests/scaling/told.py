"""Deployments as Serve tells the policy of them, from what their replicas have reported."""

from collections.abc import Mapping, Sequence
from typing import Any

from ray.serve._private.common import DeploymentID, ReplicaID, TimeStampedValue
from ray.serve.config import AutoscalingConfig, AutoscalingContext

NOW = 1_795_000_000.0

Reports = Mapping[str, Sequence[float]]
"""Of one replica: each number's last values, one a second, the newest of now."""


def series(values: Sequence[float], *, age_s: float = 0.0) -> list[TimeStampedValue]:
    begun = NOW - age_s - len(values) + 1
    return [TimeStampedValue(begun + second, value) for second, value in enumerate(values)]


def deployment(
    name: str,
    replicas: Sequence[Reports] = (),
    *,
    target: int | None = None,
    age_s: float = 0.0,
    last_scale_down_time: float | None = None,
    **config: Any,
) -> AutoscalingContext:
    """`target`: as many as run, if None. `age_s`: of the newest reports."""
    key = DeploymentID(name, "hello")
    ids = [ReplicaID(str(number), key) for number in range(len(replicas))]
    raw: dict[str, dict[ReplicaID, Any]] = {}
    for replica, reports in zip(ids, replicas, strict=True):
        for number, values in reports.items():
            raw.setdefault(number, {})[replica] = series(values, age_s=age_s)
    return AutoscalingContext(
        deployment_id=key,
        deployment_name=name,
        app_name="hello",
        current_num_replicas=len(replicas),
        target_num_replicas=len(replicas) if target is None else target,
        running_replicas=ids,
        total_num_requests=0.0,
        total_queued_requests=0.0,
        aggregated_metrics={},
        raw_metrics=lambda: raw,
        capacity_adjusted_min_replicas=0,
        capacity_adjusted_max_replicas=100,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=last_scale_down_time,
        current_time=NOW,
        config=AutoscalingConfig(
            **{
                "min_replicas": 0,
                "max_replicas": 100,
                "target_ongoing_requests": 10,
                "look_back_period_s": 30,
                **config,
            }
        ),
    )
