"""What Serve's controller would decide: its own functions, with the time passed in."""

import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

from ray.serve._private.common import DeploymentID
from ray.serve.autoscaling_policy import (
    _apply_delay_logic,
    _apply_scaling_factors,
    _extract_internal_policy_state,
    _get_cold_start_scale_up_replicas,
    replica_queue_length_autoscaling_policy,
)
from ray.serve.config import AutoscalingContext

from serve_app.errors import ConfigurationError

Contexts = dict[DeploymentID, AutoscalingContext]
States = dict[DeploymentID, dict[str, Any]]
Policy = Callable[[Contexts], tuple[Mapping[DeploymentID, float], Mapping[DeploymentID, dict[str, Any]] | None]]


def by_queue_length(contexts: Contexts) -> tuple[dict[DeploymentID, float], States]:
    """Serve's own policy, for an application that names none."""
    return {deployment: replica_queue_length_autoscaling_policy(ctx)[0] for deployment, ctx in contexts.items()}, {}


def policy_named(path: str | None) -> Policy:
    """The application's policy: a function by its path, "module:name" or "module.name"; without one, Serve's own.

    Raises ConfigurationError if there is none.
    """
    if path is None:
        return by_queue_length
    module, _, name = path.replace(":", ".").rpartition(".")
    try:
        policy: Policy = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise ConfigurationError(f"there is no autoscaling policy {path!r}: {e}") from e
    return policy


class Autoscaler:
    """Decides for all deployments of an application, as Serve's ApplicationAutoscalingState does with a policy of the
    application's, and keeps what that remembers from one decision to the next."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.states: States = {}

    def decide(self, contexts: Contexts, now: float) -> dict[DeploymentID, int]:
        """The new targets, of the deployments that the policy has a word for. `now`: in the contexts' time, seconds."""
        wanted, states = self._policy(contexts)
        targets = {}
        for deployment, ctx in contexts.items():
            internal = _extract_internal_policy_state(ctx.policy_state)
            if deployment in wanted:
                targets[deployment], internal = _target(wanted[deployment], ctx, internal, now)
            self.states[deployment] = {**((states or {}).get(deployment) or {}), **internal}
        return targets


def _target(wanted: float, ctx: AutoscalingContext, state: dict[str, Any], now: float) -> tuple[int, dict[str, Any]]:
    """What Serve makes of a policy's wish (`_apply_app_level_autoscaling_config`), and its counters after that."""
    assert ctx.config is not None, "a deployment without an autoscaling_config is not asked about"
    target: float | None = _get_cold_start_scale_up_replicas(ctx)
    if target is None:
        target = _apply_scaling_factors(wanted, ctx.current_num_replicas, ctx.config)
        if ctx.current_num_replicas or not target > 0:
            target, state = _apply_delay_logic(max(0, target), ctx.target_num_replicas, ctx.config, state, _now=now)
    least, most = ctx.capacity_adjusted_min_replicas, ctx.capacity_adjusted_max_replicas
    return max(least, min(most, math.ceil(target))), state
