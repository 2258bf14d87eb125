"""How many replicas a deployment needs, from what those that run have told. Pure: times come with the samples."""

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Protocol, TypeAlias

RECENT_S = 5.0
"""Work is averaged over the last of it, reported each second: so a burst is seen in time. That replicas do not come and
go with every one is what the delays of autoscaling_config are for."""
SILENT_S = 15.0
"""Without a report for so long a replica may have any load. (One whose machine is busy reports a few seconds late.)"""
DOZES_S = 15.0
"""After it has lost its last replica, a deployment is asked for so long by those who have not seen it go."""
ROUNDING = 1e-9
"""Replicas that sums of floats may be too many by."""


class Sample(Protocol):
    """Serve's TimeStampedValue: seconds since the epoch, on the clock of the replica's node."""

    @property
    def timestamp(self) -> float: ...

    @property
    def value(self) -> float: ...


Series: TypeAlias = Sequence[Sample]
"""Of one number of one replica, the newest last. Never empty here."""


def newest(series: Series) -> float:
    return series[-1].value


def recent(series: Series) -> float:
    """The mean of the last RECENT_S."""
    since = series[-1].timestamp - RECENT_S
    values = [sample.value for sample in takewhile(lambda sample: sample.timestamp > since, reversed(series))]
    return sum(values) / len(values)


def is_silent(series: Series, now: float) -> bool:
    """Also if its newest sample is of a time to come: its clock was set back since, and what it tells now is older."""
    return abs(now - series[-1].timestamp) > SILENT_S


def work_of(series: Mapping[str, Series]) -> float:
    """Pieces of work in hand, of all replicas."""
    return sum(map(recent, series.values()))


def places_for(
    conversations: Sequence[Series],
    strained: Sequence[bool],
    *,
    full: float,
    spare: float,
    lead_s: float,
    period_s: float,
) -> float:
    """Conversations to have room for by the time a gateway begun now is up: those that go on, and those that come
    meanwhile if they keep coming as in the last `period_s`, or `spare` if those are fewer.

    A gateway that is strained takes no more callers: it counts as one with `full` of them.
    """
    now = sum(max(newest(each), full * is_strained) for each, is_strained in zip(conversations, strained, strict=True))
    return now + max(spare, lead_s * sum(map(growth, conversations)) / period_s)


def growth(series: Series) -> float:
    """Since its oldest sample. One that has just started began with nothing, and that is its oldest."""
    return newest(series) - series[0].value


def replicas_for(work: float, each: float) -> int:
    """Enough for `work`, if one takes `each`."""
    return max(0, math.ceil(work / each - ROUNDING))
