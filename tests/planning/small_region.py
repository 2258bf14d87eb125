"""A region small enough to see through: numbers that tests change one at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from ray.serve.config import AutoscalingConfig

from serve_app.planning.arrivals import Call
from serve_app.planning.cluster import Cluster
from serve_app.planning.nodes import Needs, NodeType
from serve_app.planning.region import GATEWAY, TTS, VAD, WHISPER, Deployment, Region
from serve_app.planning.simulation import Moment, simulate
from serve_app.planning.traffic import (
    Calls,
    Durations,
    Engines,
    Machine,
    Prices,
    Providers,
    ReplicaStarts,
    Speech,
    Times,
    Traffic,
)
from serve_app.scaling.schedule import DEPLOYMENTS
from serve_app.scaling.wishes import Wishes

MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC)  # a Monday
POLICY = "serve_app.scaling.policy:scale"
NEEDS = {GATEWAY: Needs(1, 0, [{"group": "cpu"}]), VAD: Needs(0.5, 0), WHISPER: Needs(0, 1), TTS: Needs(0.5, 0)}
TARGETS = {GATEWAY: 8.0, VAD: 1.0, WHISPER: 2.0, TTS: 7.0}
TRAFFIC = Traffic(
    day=date(2026, 11, 30),
    seed=1,
    calls=Calls(a_day=1000, hourly=(1.0,) * 24, minutes=Durations(mean=2, spread=0.5, longest=10)),
    speech=Speech(turns_a_minute=6, recognitions=2, utterance_s=4, judgements=4, clauses=2, clause_s=1, characters=50),
    engines=Engines(judgement_s=0.033, judged_at_once=2, recognition_s=0.5, recognised_at_once=1),
    providers=Providers(groq_recognitions_a_minute=10_000, groq_answers_a_minute=10_000, elevenlabs_at_once=100),
    times=Times(start_s=ReplicaStarts(Gateway=10, Vad=10, LocalWhisper=20, TtsProxy=10), drain_s=660),
    nodes={"cpu": Machine(100, 1.0), "gpu": Machine(200, 2.0)},
    prices=Prices(currency="BRL", recognised_hour=0.36, billed_s=10, thousand_answers=2.0, thousand_characters=0.5),
)
CLUSTER = Cluster(
    kinds=(
        NodeType("cpu", {"group": "cpu"}, cpus=16, gpus=0, at_least=1, at_most=5, start_s=100, price_an_hour=1.0),
        NodeType("gpu", {}, cpus=4, gpus=1, at_least=0, at_most=2, start_s=200, price_an_hour=2.0),
    ),
    at_most=9,
    idle_s=300,
)


def autoscaling(least: int, most: int, target: float, **more: Any) -> AutoscalingConfig:
    numbers = {"upscale_delay_s": 2, "downscale_delay_s": 60, "look_back_period_s": 30} | more
    return AutoscalingConfig(min_replicas=least, max_replicas=most, target_ongoing_requests=target, **numbers)


def region(*, wishes: Wishes | None = None, policy: str | None = POLICY, **bounds: tuple[int, int]) -> Region:
    """`bounds`: the fewest and the most replicas, by deployment; 1 to 8, and LocalWhisper from 0, if not said."""
    given = {WHISPER: (0, 2)} | bounds
    return Region(
        deployments={
            name: Deployment(autoscaling(*given.get(name, (1, 8)), TARGETS[name]), NEEDS[name], surge=100)
            for name in DEPLOYMENTS
        },
        conversations=10,
        conversations_a_node=None,
        generations=10,
        wishes=wishes or Wishes(lead_s=20, spare_places=4),
        policy=policy,
    )


def run(
    of: Region | None = None,
    calls: Sequence[Call] = (),
    *,
    hours: float = 0.5,
    traffic: Traffic = TRAFFIC,
    cluster: Cluster = CLUSTER,
    tick_s: float = 1.0,
) -> Iterator[Moment]:
    """From midnight on."""
    return simulate(of or region(), traffic, cluster, calls, MIDNIGHT, 0.0, hours * 3600, tick_s)


def with_nodes(at_most: int) -> Cluster:
    """So many machines without a GPU, on each of which stand two or three gateways."""
    cpu, gpu = CLUSTER.kinds
    return replace(CLUSTER, kinds=(cpu._replace(cpus=4, at_most=at_most), gpu))
