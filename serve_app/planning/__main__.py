"""`make plan REGION=sa-east-1`: a region through a day before it is deployed."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np

from serve_app.errors import ConfigurationError
from serve_app.planning.arrivals import WARM_UP_MINUTES, draw_calls
from serve_app.planning.cluster import cluster_file, read_cluster
from serve_app.planning.picture import Curve, picture
from serve_app.planning.region import GATEWAY, TTS, VAD, WHISPER, Region, read_region
from serve_app.planning.report import day, limits, table
from serve_app.planning.simulation import Moment, simulate
from serve_app.planning.summary import summarise
from serve_app.planning.traffic import read_traffic
from serve_app.serve_config.files import CONFIGS, region_config
from serve_app.terminal import Terminal

TICK_S = 2.0
"""Serve decides ten times a second; with 1 s instead of 2 the same plan comes out, in twice the time."""
A_DAY_S = 86_400.0
YEARS = (1971, 2999)
"""In which every time zone's hours can be reckoned."""
POINTS = 480
"""Of a curve: more than a terminal is wide."""


def main(arguments: Sequence[str]) -> str | None:
    """An error, for people."""
    parser = argparse.ArgumentParser(prog="make plan", description=__doc__)
    parser.add_argument("region", metavar="REGION")
    parser.add_argument("--day", type=date.fromisoformat, help="instead of the traffic's: 2026-12-24")
    given = parser.parse_args(arguments)
    terminal = Terminal()
    try:
        for line in plan(given.region, given.day):
            terminal.say(line)
    except ConfigurationError as e:
        return e.message
    return None


def plan(name: str, chosen: date | None = None, tick_s: float = TICK_S) -> Iterator[str]:
    """The lines of it. Raises ConfigurationError."""
    region = read_region(region_config(name))
    traffic = read_traffic(CONFIGS / "traffic" / f"{name}.yaml")
    cluster = read_cluster(cluster_file(CONFIGS.parent, name), name, traffic.nodes)
    midnight = datetime.combine(_planned(chosen or traffic.day), time(), ZoneInfo(region.wishes.timezone))
    calls = draw_calls(traffic.calls, midnight.weekday(), np.random.default_rng(traffic.seed))
    yield f"{name} on {midnight:%A, %d %B %Y} ({region.wishes.timezone}), by {region.policy or 'Serve itself'}"
    begin = -WARM_UP_MINUTES * 60.0
    moments = list(simulate(region, traffic, cluster, calls, midnight, begin, A_DAY_S, tick_s))
    summary = summarise(moments, region, traffic, cluster, tick_s)
    yield ""
    yield from table(summary, traffic.prices.currency)
    yield ""
    yield from _pictures(moments, region)
    yield from day(summary, traffic.prices.currency)
    yield from limits(summary)
    yield f"To try others: calls and prices in configs/traffic/{name}.yaml, replicas in configs/overlays/{name}.yaml"


def _planned(day: date) -> date:
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise ConfigurationError(f"no plan for {day}: take a day of the years {YEARS[0]} to {YEARS[1]}")
    return day


def _pictures(moments: Sequence[Moment], region: Region) -> Iterator[str]:
    shown = [moment for moment in moments if moment.now >= 0][:: max(1, len(moments) // POINTS)]
    hours = [moment.now / 3600 for moment in shown]
    gateways = [moment.replicas[GATEWAY].running for moment in shown]
    target = region.deployments[GATEWAY].autoscaling.get_target_ongoing_requests()
    calls = [
        Curve("places", ".", [count * region.conversations for count in gateways]),
        Curve("target", "-", [count * target for count in gateways]),
        Curve("open", "#", [moment.open for moment in shown]),
    ]
    yield picture("calls", hours, calls)
    yield ""
    yield picture(
        "replicas",
        hours,
        [
            Curve(name, name[0], [moment.replicas[name].running for moment in shown])
            for name in (WHISPER, VAD, TTS, GATEWAY)
        ],
    )
    yield ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
