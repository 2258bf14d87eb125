"""A wave of calls, and the gateways that it brings up and lets go again."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.chaos.caller import Way
from tests.regions.region import Region
from tests.regions.visits import Plan, Visit, Visits
from tests.regions.watch import Sample, until_scaled, watched

GATEWAY = "Gateway"
WRITING, SPEAKING = 60, 10
RISES_S, LASTS_S = 40.0, (60.0, 90.0)
EVERY_S, FALLS_WITHIN_S = 1.0, 120.0


@dataclass(frozen=True)
class Wave:
    """`begun`: the moment of the first call's plan, on the clock of the visits and samples. `config`: the gateway's."""

    begun: float
    visits: Sequence[Visit]
    samples: Sequence[Sample]
    config: dict[str, Any]

    @property
    def cut(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.is_cut]

    @property
    def turned_away(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.is_turned_away]

    @property
    def most_open(self) -> int:
        return max(sample.open_calls for sample in self.samples)

    @property
    def running(self) -> list[int]:
        """Gateways, by sample."""
        return [len(sample.scales[GATEWAY].running) for sample in self.samples]

    @property
    def startup_s(self) -> float:
        """From when a gateway was begun until it ran: the median of those that came. NaN: none did."""
        return median(_startups(self.samples) or [math.nan])

    def trace(self) -> dict[str, Any]:
        """For the simulator: see tests/planning."""
        return {
            "config": self.config,
            "startup_s": round(self.startup_s, 1),
            "arrivals": [
                [round(visit.began - self.begun, 1), round(visit.ended - visit.began, 1)]
                for visit in self.visits
                if visit.began is not None and visit.ended is not None
            ],
            "samples": [
                [
                    round(sample.at - self.begun, 1),
                    sample.open_calls,
                    len(sample.scales[GATEWAY].running),
                    sample.scales[GATEWAY].target,
                ]
                for sample in self.samples
            ],
        }


async def ride(region: Region) -> Wave:
    """From one gateway, until all calls are over and there is one again, or it takes too long."""
    assert await until_scaled(region, GATEWAY, 1, FALLS_WITHIN_S), "it does not begin with one gateway"
    visits = Visits(region.server.url, plans())
    async with watched(region, lambda: visits.open, EVERY_S) as samples, visits:
        await visits.over()
        await until_scaled(region, GATEWAY, 1, FALLS_WITHIN_S)
    return Wave(visits.begun, visits.all, list(samples), region.deployments[GATEWAY])


def plans() -> list[Plan]:
    """The same in each run. Who speaks comes among those who write."""
    chance = random.Random(8)
    ways = [Way.WRITING] * WRITING + [Way.SPEAKING] * SPEAKING
    chance.shuffle(ways)
    return [Plan(RISES_S * place / len(ways), chance.uniform(*LASTS_S), way) for place, way in enumerate(ways)]


def _startups(samples: Sequence[Sample]) -> list[float]:
    """Of each gateway that was not there at first: seconds from the first sample that has it to the first in which it
    runs."""
    seen: dict[str, float] = {}
    ran: dict[str, float] = {}
    for sample in samples:
        for replica in sample.scales[GATEWAY].replicas:
            seen.setdefault(replica.id, sample.at)
            if replica.state == "RUNNING":
                ran.setdefault(replica.id, sample.at)
    return [ran[each] - seen[each] for each in ran if seen[each] > samples[0].at]
