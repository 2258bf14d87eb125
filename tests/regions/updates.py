"""`serve deploy` while calls go on: of other numbers, which come into force, and of other code, which replaces all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from serve_app.admission import BUSY
from tests.chaos.caller import Way, until
from tests.regions.prober import Probe, probing
from tests.regions.region import Region
from tests.regions.serve_state import Scale
from tests.regions.visits import Plan, Visit, Visits
from tests.regions.watch import until_scaled
from tests.regions.wave import GATEWAY
from tests.regions.whisper import WHISPER

CALLS, SPEAKING = 20, 4
COME_WITHIN_S, ALL_TALK_WITHIN_S = 4.0, 30.0
LOOKS_EVERY_S, SEEN_WITHIN_S = 0.1, 60.0
NUMBERS_LAST_S, CODE_LASTS_S = 60.0, 90.0
STARTS_WITHIN_S, REPLACED_WITHIN_S = 30.0, 90.0

Shows = Callable[[float], Awaitable[bool]]
"""Whether a change is seen, that was begun at this moment."""


class Change(NamedTuple):
    """Seconds from the start of `serve deploy` until it ended, and until the change was seen."""

    title: str
    command_s: float
    in_force_s: float


@dataclass(frozen=True)
class Numbers:
    changes: Sequence[Change]
    visits: Sequence[Visit]
    replaced: int
    """Replicas."""


@dataclass(frozen=True)
class Code:
    """`replaced_s`: from the command's start until only new replicas take work."""

    replaced_s: float
    visits: Sequence[Visit]
    probes: Sequence[Probe]

    @property
    def failed(self) -> list[Probe]:
        return [probe for probe in self.probes if probe.failure]


async def numbers(region: Region) -> Numbers:
    """A ceiling, which newcomers meet; a floor and a target, which the autoscaler follows. Then as they were."""
    gateway = region.deployments[GATEWAY]
    limits, scaling = gateway["user_config"], gateway["autoscaling_config"]
    places, target = limits["max_conversations"], scaling["target_ongoing_requests"]
    assert await until_scaled(region, GATEWAY, 1, STARTS_WITHIN_S), "it does not begin with one gateway"
    visits = Visits(region.server.url, _plans(NUMBERS_LAST_S))
    async with visits, probing(region.server.ws_url) as probes:
        await _all_talk(visits)
        before = await _running(region)
        limits["max_conversations"] = CALLS // 2
        refused = await _change(region, "fewer places: a newcomer is refused", _refuses(probes))
        limits["max_conversations"] = places
        taken = await _change(region, "as many places as before: a newcomer is taken", _takes(probes))
        wanted = (await region.scales())[GATEWAY].target
        limits["scaling"]["schedule"] = [{"replicas": {GATEWAY: wanted + 1}}]
        floor = await _change(region, "a floor: one gateway more is wanted", _wants(region, wanted + 1))
        await until_scaled(region, GATEWAY, wanted + 1, STARTS_WITHIN_S)
        limits["scaling"]["schedule"] = []
        scaling["target_ongoing_requests"] = CALLS // (wanted + 2)
        more = await _change(region, "fewer calls for each: one more again", _wants(region, wanted + 2))
        gone = before - await _running(region)
        scaling["target_ongoing_requests"] = target
        await region.deploy()
        await visits.over()
    return Numbers([refused, taken, floor, more], visits.all, len(gone))


async def code(region: Region) -> Code:
    """Serve takes another runtime environment for another version of the code, and replaces every replica."""
    visits = Visits(region.server.url, _plans(CODE_LASTS_S))
    async with visits, probing(region.server.ws_url) as probes:
        await _all_talk(visits)
        old, begun = await _running(region), _now()
        region.config["applications"][0]["runtime_env"] = {"env_vars": {"CODE_VERSION": "2"}}
        await region.deploy()
        assert await _seen(lambda: _is_replaced(region, old), REPLACED_WITHIN_S), "the old code goes on"
        replaced_s = _now() - begun
        await visits.over()
    return Code(replaced_s, visits.all, list(probes))


async def _change(region: Region, title: str, shows: Shows) -> Change:
    begun = _now()
    deploying = asyncio.create_task(region.deploy())
    assert await _seen(lambda: shows(begun), SEEN_WITHIN_S), f"not seen: {title}"
    in_force_s = _now() - begun
    await deploying
    return Change(title, _now() - begun, in_force_s)


async def _seen(is_seen: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    deadline = _now() + within_s
    for _ in count():
        if (seen := await is_seen()) or _now() > deadline:
            break
        await asyncio.sleep(LOOKS_EVERY_S)
    return seen


def _refuses(probes: Sequence[Probe]) -> Shows:
    async def refuses(since: float) -> bool:
        return any(BUSY in probe.failure for probe in probes if probe.at > since)

    return refuses


def _takes(probes: Sequence[Probe]) -> Shows:
    async def takes(since: float) -> bool:
        return any(not probe.failure for probe in probes if probe.at > since)

    return takes


def _wants(region: Region, gateways: int) -> Shows:
    async def wants(_: float) -> bool:
        return (await region.scales())[GATEWAY].target >= gateways

    return wants


async def _running(region: Region) -> set[str]:
    return {replica.id for scale in await _lasting(region) for replica in scale.running}


async def _is_replaced(region: Region, old: set[str]) -> bool:
    """By as many as are wanted."""
    enough = all(len(scale.running) >= scale.target for scale in await _lasting(region))
    return enough and not old & await _running(region)


async def _lasting(region: Region) -> list[Scale]:
    """Of all deployments but the one that comes and goes as it is needed."""
    return [scale for name, scale in (await region.scales()).items() if name != WHISPER]


async def _all_talk(visits: Visits) -> None:
    assert await until(lambda: visits.open == CALLS, ALL_TALK_WITHIN_S), "not everybody gets to talk"


def _plans(lasts_s: float) -> list[Plan]:
    ways = [Way.SPEAKING] * SPEAKING + [Way.WRITING] * (CALLS - SPEAKING)
    return [Plan(COME_WITHIN_S * place / CALLS, lasts_s, way) for place, way in enumerate(ways)]


def _now() -> float:
    return asyncio.get_running_loop().time()
