"""What a region's Serve config says of scaling: of each deployment, of the gateways' wishes, and by which policy."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from ray.serve.config import AutoscalingConfig

from serve_app.planning.nodes import Needs
from serve_app.scaling.schedule import DEPLOYMENTS
from serve_app.scaling.wishes import Wishes
from serve_app.serve_config.check import checked

GATEWAY, VAD, WHISPER, TTS = "Gateway", "Vad", "LocalWhisper", "TtsProxy"


@dataclass(frozen=True)
class Deployment:
    """`surge`: `max_surge_percent`."""

    autoscaling: AutoscalingConfig
    needs: Needs
    surge: int


@dataclass(frozen=True)
class Region:
    """`conversations`: how many a gateway takes, and all gateways of a node together; None: as many as they take.
    `generations`: of ElevenLabs', at once, a TtsProxy. `policy`: the path of its function, None for Serve's own."""

    deployments: Mapping[str, Deployment]
    conversations: int
    conversations_a_node: int | None
    generations: int
    wishes: Wishes
    policy: str | None


def read_region(path: Path) -> Region:
    """Raises ConfigurationError: all that the strict check has to say against the config."""
    application = checked(path).plain["applications"][0]
    given = {deployment["name"]: deployment for deployment in application["deployments"]}
    gateway = given[GATEWAY]["user_config"]
    return Region(
        deployments={name: deployment_from(given[name]) for name in DEPLOYMENTS},
        conversations=gateway["max_conversations"],
        conversations_a_node=gateway.get("max_conversations_per_node"),
        generations=given[TTS]["user_config"]["generations"],
        wishes=msgspec.convert(gateway.get("scaling", {}), Wishes),
        policy=(application.get("autoscaling_policy") or {}).get("policy_function"),
    )


def deployment_from(given: Mapping[str, Any]) -> Deployment:
    """Of a deployment's part of a Serve config."""
    options = given.get("ray_actor_options") or {}
    fallbacks = [fallback.get("label_selector") or {} for fallback in options.get("fallback_strategy") or ()]
    with warnings.catch_warnings():  # Ray's, of metrics_interval_s: it is the one that counts for custom metrics
        warnings.simplefilter("ignore")
        autoscaling = AutoscalingConfig(**given["autoscaling_config"])
    needs = Needs(
        cpus=options.get("num_cpus", 1),  # as Serve has it
        gpus=options.get("num_gpus", 0),
        selectors=[options.get("label_selector") or {}, *fallbacks],
        deployment=given["name"],
        most_a_node=given.get("max_replicas_per_node"),
    )
    return Deployment(autoscaling, needs, given.get("max_surge_percent", 0))
