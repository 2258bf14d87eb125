"""A wave of calls that was really measured, once more in the simulator."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from serve_app.errors import ConfigurationError
from serve_app.planning.arrivals import Call
from serve_app.planning.controller import Controller
from serve_app.planning.nodes import Needs, NodePool, NodeType
from serve_app.planning.region import GATEWAY, Deployment, Region, deployment_from
from serve_app.planning.switchboard import Switchboard
from serve_app.planning.traffic import ReplicaStarts, Times
from serve_app.scaling.wishes import Wishes

DECIDES_S = 0.1
"""Serve's control loop (CONTROL_LOOP_INTERVAL_S)."""
ROOM = NodeType("room", {}, cpus=1.0, gpus=0.0, at_least=1, at_most=1, start_s=0.0, price_an_hour=0.0)
TIMES = Times(ReplicaStarts(0.0, 0.0, 0.0, 0.0), drain_s=float("inf"))
POLICY = "serve_app.scaling.policy:scale"


class Sample(NamedTuple):
    at: float
    open_calls: int
    running: int
    wanted: int


class Trace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`config`: the Gateway's, of the Serve config. `startup_s`: from when a gateway is wanted until it runs, usually.
    `arrivals`: when a call was taken, and how long it lasted. Seconds."""

    config: dict[str, Any]
    startup_s: float
    arrivals: list[tuple[float, float]]
    samples: list[Sample]

    def start_s(self, gateways: int) -> float:
        """How long it took until there were so many: between the first sample that wants them and the first in which
        they run."""
        wanted = next((sample.at for sample in self.samples if sample.wanted >= gateways), None)
        ran = next((sample.at for sample in self.samples if sample.running >= gateways), None)
        return self.startup_s if wanted is None or ran is None else ran - wanted


def read_trace(path: Path) -> Trace:
    """Raises ConfigurationError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Trace)
    except (OSError, msgspec.DecodeError) as e:
        raise ConfigurationError(f"{path} is no trace of a wave: {e}") from e


def replayed(trace: Trace) -> list[int]:
    """Gateways running at each sample, had the simulator been Serve. It begins as the trace does, and each gateway
    takes as long to start as the one that really came; when it is wanted, and when it goes, is the simulator's word."""
    region = _region(trace)
    numbers = region.deployments[GATEWAY].autoscaling
    begin = trace.samples[0].at - numbers.look_back_period_s
    controller = Controller(region, NodePool([ROOM], at_most=1, idle_s=0.0, now=begin), TIMES, midnight=0.0)
    gateways = controller.fleets[GATEWAY]
    gateways.begin(trace.samples[0].running, begin)
    switchboard = Switchboard([Call(*call, spoken=False) for call in sorted(trace.arrivals)], region.conversations)
    running: list[int] = []
    step, reported = 0, begin
    while len(running) < len(trace.samples):
        step += 1
        now = begin + step * DECIDES_S
        switchboard.advance(now, gateways.running)
        if now >= reported + numbers.metrics_interval_s:
            controller.hear({}, stt_fails=False, now=now, every_s=numbers.metrics_interval_s)
            reported += numbers.metrics_interval_s
        gateways.start_s = trace.start_s(gateways.target + 1)
        switchboard.cut_off(controller.act(now))
        while len(running) < len(trace.samples) and trace.samples[len(running)].at <= now:
            running.append(len(gateways.running))
    return running


def _region(trace: Trace) -> Region:
    """Of gateways alone, on nodes that are there. The trace's calls were taken, so there is a place for each."""
    given = deployment_from(trace.config)
    return Region(
        deployments={GATEWAY: Deployment(given.autoscaling, Needs(0.0, 0.0), given.surge)},
        conversations=len(trace.arrivals),
        conversations_a_node=None,
        generations=0,
        wishes=msgspec.convert(trace.config["user_config"].get("scaling", {}), Wishes),
        policy=POLICY,
    )
