"""What a plan comes to: hour by hour, and of the whole day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from serve_app.planning.cluster import Cluster
from serve_app.planning.costs import Costs, costs_of
from serve_app.planning.nodes import NodeType
from serve_app.planning.region import GATEWAY, Region
from serve_app.planning.simulation import Moment
from serve_app.planning.traffic import Traffic


@dataclass(slots=True)
class Hour:
    """`running`, `nodes`: the fewest and the most at a time. `draining`: gateways, the most. Of `unheard`, `unspoken`
    and `unjudged` requests see `Asked`. `over_s`: for how long gateways had more calls than their target."""

    number: int
    arrived: int = 0
    refused: int = 0
    cut: int = 0
    open: list[int] = field(default_factory=list)
    running: dict[str, tuple[int, int]] = field(default_factory=dict)
    nodes: dict[str, tuple[int, int]] = field(default_factory=dict)
    draining: int = 0
    over_s: float = 0.0
    unplaced_s: float = 0.0
    wait_s: float = 0.0
    unheard: float = 0.0
    unspoken: float = 0.0
    unjudged: float = 0.0
    unanswered: float = 0.0
    costs: Costs = field(default_factory=Costs)

    @property
    def taken(self) -> int:
        return self.arrived - self.refused

    @property
    def typical(self) -> float:
        return median(self.open)

    @property
    def most(self) -> int:
        return max(self.open)


@dataclass(frozen=True)
class Summary:
    """`call_minutes`: of all calls. `used`: of each limit, by its name, the share used at the worst moment."""

    hours: list[Hour]
    call_minutes: float
    used: Mapping[str, float]
    costs: Costs

    def sum(self, name: str) -> float:
        """Over the day, of a number that an hour has."""
        return float(sum(getattr(hour, name) for hour in self.hours))


class Tally:
    """Takes one moment after the other, of which only those from midnight on count."""

    def __init__(self, region: Region, traffic: Traffic, cluster: Cluster, tick_s: float) -> None:
        self._region = region
        self._traffic = traffic
        self._cluster = cluster
        self._tick_s = tick_s
        self._hours: list[Hour] = []
        self._used: dict[str, float] = {}
        self._before: Moment | None = None
        self._call_minutes = 0.0

    def add(self, moment: Moment) -> None:
        before, self._before = self._before, moment
        begun = moment.now - self._tick_s
        if begun < 0 or before is None:
            return
        if not self._hours or begun >= (self._hours[-1].number + 1) * 3600:
            self._hours.append(Hour(int(begun // 3600)))
        self._call_minutes += moment.open * self._tick_s / 60
        self._count(self._hours[-1], before, moment)
        for name, share in self._shares(moment).items():
            self._used[name] = max(self._used.get(name, 0.0), share)

    def summary(self) -> Summary:
        costs = Costs()
        for hour in self._hours:
            costs = costs.plus(hour.costs)
        return Summary(self._hours, self._call_minutes, self._used, costs)

    def _count(self, hour: Hour, before: Moment, moment: Moment) -> None:
        asked, tick_s = moment.asked, self._tick_s
        hour.arrived += moment.arrived - before.arrived
        hour.refused += moment.refused - before.refused
        hour.cut += moment.cut - before.cut
        hour.open.append(moment.open)
        for name, replicas in moment.replicas.items():
            hour.running[name] = _widened(hour.running.get(name), replicas.running)
        for kind, count in self._workers(moment):
            hour.nodes[kind.name] = _widened(hour.nodes.get(kind.name), count)
        gateways = moment.replicas[GATEWAY]
        hour.draining = max(hour.draining, gateways.draining)
        target = self._region.deployments[GATEWAY].autoscaling.get_target_ongoing_requests()
        hour.over_s += tick_s * (moment.open > target * (gateways.running + gateways.draining))
        hour.unplaced_s += tick_s * any(replicas.unplaced for replicas in moment.replicas.values())
        hour.wait_s = max(hour.wait_s, asked.voice_wait_s)
        hour.unheard += asked.unheard
        hour.unspoken += asked.unspoken
        hour.unjudged += asked.unjudged
        hour.unanswered += asked.unanswered * tick_s
        hour.costs = hour.costs.plus(costs_of(moment, self._traffic, tick_s))

    def _shares(self, moment: Moment) -> dict[str, float]:
        limits, asked = self._traffic.providers, moment.asked
        shares = {"nodes of all kinds": sum(moment.nodes) / self._cluster.at_most}
        # Where there are always as many as there may be, that says nothing of a day.
        for name, replicas in moment.replicas.items():
            bounds = self._region.deployments[name].autoscaling
            if bounds.min_replicas < bounds.max_replicas:
                shares[f"replicas of {name}"] = replicas.target / bounds.max_replicas
        for kind, count in self._workers(moment):
            if kind.at_least < kind.at_most:
                shares[f"nodes of {kind.name}"] = count / kind.at_most
        provided = {
            "Groq's recognitions": (asked.groq_recognitions * 60, limits.groq_recognitions_a_minute),
            "Groq's answers": (asked.groq_answers * 60, limits.groq_answers_a_minute),
            "ElevenLabs' generations": (asked.generations, limits.elevenlabs_at_once),
        }
        return shares | {name: used / limit for name, (used, limit) in provided.items() if limit}

    def _workers(self, moment: Moment) -> list[tuple[NodeType, int]]:
        """How many there are of each kind; of the head there is always one."""
        counts = zip(self._cluster.kinds, moment.nodes, strict=True)
        return [(kind, count) for kind, count in counts if not kind.head]


def summarise(moments: Iterable[Moment], region: Region, traffic: Traffic, cluster: Cluster, tick_s: float) -> Summary:
    tally = Tally(region, traffic, cluster, tick_s)
    for moment in moments:
        tally.add(moment)
    return tally.summary()


def _widened(span: tuple[int, int] | None, value: int) -> tuple[int, int]:
    return (value, value) if span is None else (min(span[0], value), max(span[1], value))
