"""The autoscaling policy of the whole application, as Serve's controller asks it ten times a second.

Serve itself then applies the delays, factors and bounds of each deployment's autoscaling_config, and starts a replica
at once where there is none and somebody asks for one.
"""

import math
from collections.abc import Mapping
from typing import Any, cast

from ray.serve._private.common import DeploymentID
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from serve_app.scaling import demand
from serve_app.scaling.demand import Series
from serve_app.scaling.wishes import FLOOR, LEAD, SPARE, is_wish

GATEWAY = "Gateway"


def scale(
    contexts: dict[DeploymentID, AutoscalingContext],
) -> tuple[dict[DeploymentID, float], dict[DeploymentID, Any]]:
    """Replicas wanted of each deployment; nothing to remember. Never raises, whatever is missing: Serve would stop
    looking after the application.

    Who is unknown stays: a deployment whose replicas do not all tell their load gets no smaller, and none does while no
    gateway tells what the region wishes.
    """
    wishes, are_told = _wishes(contexts), _any_gateway_tells(contexts)
    wanted = {key: _wanted(context, wishes, are_told) for key, context in contexts.items()}
    return {key: float(wanted[key]) for key, context in contexts.items() if wanted[key] or not _dozes(context)}, {}


def _wanted(context: AutoscalingContext, wishes: Mapping[str, float], are_told: bool) -> int:
    floor = int(wishes.get(FLOOR + context.deployment_name, 0))
    wanted = max(floor, demand.replicas_for(_load(context, wishes), _config(context).get_target_ongoing_requests()))
    is_known = are_told and _all_tell(context)
    return wanted if is_known else max(wanted, context.target_num_replicas)


def _dozes(context: AutoscalingContext) -> bool:
    """Whether it has just lost its last replica. Serve would start the next at once for what was asked of that one:
    requests count for look_back_period_s, and also those that nobody relied on. Unless it is not decided here. If the
    clock was set back since, it is awake: better than asleep for as long as that."""
    gone_at = context.last_scale_down_time or -math.inf
    since_s = (context.current_time or 0.0) - gone_at
    return context.target_num_replicas == 0 and 0 <= since_s < _config(context).look_back_period_s + demand.DOZES_S


def _load(context: AutoscalingContext, wishes: Mapping[str, float]) -> float:
    """In the unit of the deployment's target_ongoing_requests."""
    work = _told(context, "work")
    if context.deployment_name != GATEWAY:
        return demand.work_of(work)
    strained = _told(context, "strained")
    return demand.places_for(
        list(work.values()),
        [replica in strained and demand.newest(strained[replica]) > 0 for replica in work],
        full=_config(context).get_target_ongoing_requests(),
        spare=wishes.get(SPARE, 0.0),
        lead_s=wishes.get(LEAD, 0.0),
        period_s=_config(context).look_back_period_s,
    )


def _wishes(contexts: Mapping[DeploymentID, AutoscalingContext]) -> dict[str, float]:
    """What gateways tell besides their load, or told last; the highest counts, so that one that has seen a provider
    fail is enough."""
    wishes: dict[str, float] = {}
    for context in contexts.values():
        if context.deployment_name == GATEWAY:
            for name in filter(is_wish, context.raw_metrics or {}):
                for series in _told(context, name).values():
                    wishes[name] = max(wishes.get(name, 0.0), demand.newest(series))
    return wishes


def _any_gateway_tells(contexts: Mapping[DeploymentID, AutoscalingContext]) -> bool:
    """What is wished, of late: whoever tells LEAD tells the rest."""
    gateways = (context for context in contexts.values() if context.deployment_name == GATEWAY)
    return any(not _is_silent(gateway, series) for gateway in gateways for series in _told(gateway, LEAD).values())


def _told(context: AutoscalingContext, name: str) -> dict[Any, Series]:
    """By replica. Who has not reported yet is not among them, nor are those that are gone or going."""
    return {replica: series for replica, series in (context.raw_metrics or {}).get(name, {}).items() if series}


def _config(context: AutoscalingContext) -> AutoscalingConfig:
    """Typed as if it could be missing: deployments without one are not asked about."""
    return cast(AutoscalingConfig, context.config)


def _all_tell(context: AutoscalingContext) -> bool:
    """Every replica that runs has told its load of late. Of one that is being started, or is to replace the last: no.
    Others that are still to come are not waited for: without room for them nothing would ever get smaller."""
    work = _told(context, "work")
    silent = any(_is_silent(context, series) for series in work.values())
    return not silent and len(work) == context.current_num_replicas and (bool(work) or context.target_num_replicas == 0)


def _is_silent(context: AutoscalingContext, series: Series) -> bool:
    return demand.is_silent(series, context.current_time or 0.0)
