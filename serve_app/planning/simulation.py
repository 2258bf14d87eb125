"""A region through a day, moment by moment."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from serve_app.planning.arrivals import Call
from serve_app.planning.cluster import Cluster
from serve_app.planning.controller import Controller
from serve_app.planning.nodes import NodePool, NodeType
from serve_app.planning.region import GATEWAY, Region
from serve_app.planning.speech_load import Asked, SpeechLoad
from serve_app.planning.switchboard import Switchboard
from serve_app.planning.traffic import Traffic, minute_of


class Replicas(NamedTuple):
    """Of a deployment. `unplaced`: wanted, but there is no node for them, nor may there be one more."""

    target: int
    running: int
    starting: int
    draining: int
    unplaced: int


class Moment(NamedTuple):
    """At `now` seconds after midnight. `calls` and those that `arrived`, were `refused` or `cut`: counted from the
    start. `nodes`: rented, by kind. `an_hour`: what they cost. `asked`: since the last moment."""

    now: float
    open: int
    arrived: int
    refused: int
    ended: int
    cut: int
    fullest: int
    replicas: dict[str, Replicas]
    nodes: tuple[int, ...]
    an_hour: float
    asked: Asked


def simulate(
    region: Region,
    traffic: Traffic,
    cluster: Cluster,
    calls: Sequence[Call],
    midnight: datetime,
    begin: float,
    end: float,
    tick_s: float,
) -> Iterator[Moment]:
    """What becomes of `calls` from `begin` to `end`, in seconds from `midnight`, looked at every `tick_s`.

    Calls come, are refused and end exactly when they do; reports, decisions, starts and stops happen at ticks.
    """
    pool = NodePool(cluster.kinds, cluster.at_most, cluster.idle_s, begin)
    controller = Controller(region, pool, traffic.times, midnight.timestamp())
    controller.begin(begin)
    switchboard = Switchboard(calls, region.conversations, region.conversations_a_node)
    load = SpeechLoad(traffic, region.generations)
    gateways = controller.fleets[GATEWAY]
    updates = sorted(minute_of(clock) * 60 for clock in traffic.updates)
    for number in range(1, round((end - begin) / tick_s) + 1):
        now = begin + number * tick_s
        switchboard.advance(now, gateways.running)
        running = {name: len(fleet.running) for name, fleet in controller.fleets.items()}
        asked = load.step(switchboard.open, switchboard.spoken, running, now, tick_s)
        controller.hear(asked.work, load.groq_is_away(now), now, tick_s)
        while updates and updates[0] <= now:
            updates.pop(0)
            controller.update()
        switchboard.cut_off(controller.act(now))
        yield _moment(now, switchboard, controller, pool, cluster.kinds, asked)


def _moment(
    now: float,
    switchboard: Switchboard,
    controller: Controller,
    pool: NodePool,
    kinds: Sequence[NodeType],
    asked: Asked,
) -> Moment:
    fleets = controller.fleets
    return Moment(
        now=now,
        open=switchboard.open,
        arrived=switchboard.arrived,
        refused=switchboard.refused,
        ended=switchboard.ended,
        cut=switchboard.cut,
        fullest=max((replica.conversations for replica in fleets[GATEWAY].running), default=0),
        replicas={
            name: Replicas(fleet.target, len(fleet.running), len(fleet.starting), len(fleet.draining), fleet.unplaced)
            for name, fleet in fleets.items()
        },
        nodes=tuple(pool.count(kind) for kind in kinds),
        an_hour=pool.an_hour(),
        asked=asked,
    )
