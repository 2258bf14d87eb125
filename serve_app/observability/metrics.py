"""Instruments that Prometheus reads: Ray's, one endpoint a node, right for any number of replicas.

In a replica each carries its `deployment`, `application` and `replica` (and Ray's WorkerId) besides the labels named
here: what several replicas say stands apart, and adds up. Ray puts `ray_` before each name, and passes on every 10 s
what it was told meanwhile.
"""

import os
from collections.abc import Sequence
from typing import Any

from ray.serve.metrics import Counter, Gauge, Histogram

from serve_app.settings import LogSettings

TELL_EVERY_S = 5.0
"""Ray forgets a gauge that it has not been told of for 20 s."""


def counter(name: str, description: str, *labels: str) -> Counter:
    """`name` ends with `_total`."""
    made = Counter(name, description, _keys(labels))
    made.set_default_tags(_region())
    return made


def gauge(name: str, description: str, *labels: str) -> Gauge:
    made = Gauge(name, description, _keys(labels))
    made.set_default_tags(_region())
    return made


def histogram(name: str, description: str, boundaries: Sequence[float], *labels: str) -> Histogram:
    """Its counts are exact, by bucket; its sum is not: Ray takes the middle of each bucket for what was in it."""
    made = Histogram(name, description, list(boundaries), _keys(labels))
    made.set_default_tags(_region())
    return made


def _keys(labels: Sequence[str]) -> Any:
    """A tuple of any length. (Serve types it as one of length 1.)"""
    return (*labels, "region")


def _region() -> dict[str, str]:
    return {"region": LogSettings.from_environment(os.environ).region}
