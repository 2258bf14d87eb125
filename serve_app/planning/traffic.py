"""What a plan supposes: the calls of a day, what a call asks of engines and providers, machines, limits, prices."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serve_app.planning.layers import converted, layer
from serve_app.scaling.schedule import TimeOfDay
from serve_app.serve_config.files import BASE

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Many = Annotated[float, Meta(gt=0, le=1_000_000, description="calls: more than that are not drawn in seconds")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

MINUTES_A_DAY = 1440


def minute_of(clock: str) -> int:
    """Of the day, of "HH:MM"."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Burst(_Strict, frozen=True):
    """`calls` more than usual, spread evenly over `minutes` from `at` on, on any weekday: a campaign, a broadcast."""

    at: TimeOfDay
    minutes: Positive
    calls: Many


class Durations(_Strict, frozen=True):
    """Minutes. Log-normal, as the lengths of telephone calls are (Bolotin, "Telephone Circuit Holding Time
    Distributions", ITC 14, 1994). `spread` is the standard deviation in means."""

    mean: Positive
    spread: Annotated[float, Meta(gt=0, le=10)]
    longest: Positive


class Calls(_Strict, frozen=True):
    """`hourly`: what share of a day's calls begins in each hour from midnight on, in any unit. `weekdays`: how much of
    `a_day` comes on a weekday; without an entry all of it. `typed`: the share of calls without speech."""

    a_day: Many
    hourly: Annotated[tuple[NotNegative, ...], Meta(min_length=24, max_length=24)]
    minutes: Durations
    weekdays: dict[Weekday, Annotated[float, Meta(ge=0, le=10)]] = {}
    bursts: tuple[Burst, ...] = ()
    typed: Share = 0.0

    def __post_init__(self) -> None:
        if not sum(self.hourly):
            raise ValueError("all of `hourly` is zero: give at least one hour a share")


class Speech(_Strict, frozen=True):
    """What a conversation asks for. `recognitions`, `judgements` and `clauses` are of a spoken turn, `utterance_s` is
    the sound of one recognition, `clause_s` how long ElevenLabs works at a clause, `characters` are of a clause."""

    turns_a_minute: NotNegative
    recognitions: NotNegative
    utterance_s: Positive
    judgements: NotNegative
    clauses: NotNegative
    clause_s: Positive
    characters: NotNegative


class Engines(_Strict, frozen=True):
    """Seconds of work for one request, and how many requests a replica works at in one moment."""

    judgement_s: Positive
    judged_at_once: Annotated[int, Meta(ge=1)]
    recognition_s: Positive
    recognised_at_once: Annotated[int, Meta(ge=1)]


class Outage(_Strict, frozen=True):
    """Groq answers nothing for `minutes` from `at` on, and its breakers are open."""

    at: TimeOfDay
    minutes: Positive


class Providers(_Strict, frozen=True):
    """What the contracts allow. 0 of Groq: it is not used."""

    groq_recognitions_a_minute: NotNegative
    groq_answers_a_minute: NotNegative
    elevenlabs_at_once: Count
    groq_outages: tuple[Outage, ...] = ()


class ReplicaStarts(_Strict, frozen=True):
    """Seconds from the decision until a replica takes work, on a node that is up."""

    Gateway: NotNegative
    Vad: NotNegative
    LocalWhisper: NotNegative
    TtsProxy: NotNegative


class Times(_Strict, frozen=True):
    """`drain_s`: for how long a gateway that goes keeps its calls (RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S)."""

    start_s: ReplicaStarts
    drain_s: NotNegative


class Machine(_Strict, frozen=True):
    """Of a node type: how long one takes from the request until Ray runs on it, and its price."""

    start_s: NotNegative
    price_an_hour: NotNegative


class Prices(_Strict, frozen=True):
    """Of the providers. `billed_s`: what a recognition costs at least, in seconds of sound."""

    currency: str
    recognised_hour: NotNegative
    billed_s: NotNegative
    thousand_answers: NotNegative
    thousand_characters: NotNegative


class Traffic(_Strict, frozen=True):
    """One file of configs/traffic. Times of day are the region's: of the time zone in the Gateway's `user_config`.
    `updates`: when new code is deployed. `nodes`: by their names in cluster.yaml."""

    day: date
    seed: Count
    calls: Calls
    speech: Speech
    engines: Engines
    providers: Providers
    times: Times
    nodes: dict[str, Machine]
    prices: Prices
    updates: tuple[TimeOfDay, ...] = ()


def read_traffic(path: Path) -> Traffic:
    """What stands in base.yaml beside it, and over that what stands there.

    Raises ConfigurationError for a file that is missing, no YAML, or not as Traffic wants it: unknown and missing keys,
    wrong types, numbers that cannot be; the message says where.
    """
    return converted({each: layer(each) for each in (path.with_name(BASE), path)}, Traffic)
