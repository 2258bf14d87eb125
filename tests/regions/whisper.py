"""LocalWhisper, asleep while Groq hears: woken when Groq fails, on the region's GPU nodes alone, and put to sleep."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from serve_app.scaling.demand import DOZES_S
from tests.beside import beside
from tests.chaos.accounting import Call
from tests.chaos.caller import APOLOGY, Way, until
from tests.fakes.groq_server import Behaviour, Fault
from tests.regions.region import ANSWER, NAME, Region
from tests.regions.serve_state import Labels
from tests.regions.visits import Plan, Visit, Visits
from tests.regions.watch import Sample, until_scaled, watched

WHISPER = "LocalWhisper"
BREAKER = "Groq Whisper"
CALLS, COME_WITHIN_S, LASTS_S = 10, 5.0, 100.0
GROQ_FAILS_AT_S, GROQ_HEALS_AT_S = 15.0, 70.0
SLEEPS_WITHIN_S = 90.0
REPETITIONS, TURNS_BEFORE, TURNS = 5, 2, 3
TALKS_WITHIN_S, WAKES_WITHIN_S, FLOOR_WITHIN_S, HEALS_WITHIN_S = 30.0, 60.0, 10.0, 30.0
LOOKS_EVERY_S = 0.2
ENDINGS = (ANSWER, APOLOGY)


@dataclass(frozen=True)
class Load:
    """Ten who speak, while Groq fails for a while. `begun`: the first call's moment, on the clock of all the rest."""

    begun: float
    visits: Sequence[Visit]
    samples: Sequence[Sample]
    nodes: Mapping[str, Labels]

    @property
    def running(self) -> list[int]:
        return [len(sample.scales[WHISPER].running) for sample in self.samples]

    @property
    def astray(self) -> list[str]:
        """Replicas that were ever on a node without GPU, or of another region."""
        wanted = {"ray.io/node-group": "gpu", "ray.io/availability-region": NAME}
        replicas = {each for sample in self.samples for each in sample.scales[WHISPER].replicas if each.node_id}
        return [each.id for each in replicas if not wanted.items() <= self.nodes[each.node_id].items()]

    @property
    def nodes_used(self) -> int:
        return len({each.node_id for sample in self.samples for each in sample.scales[WHISPER].running})


@dataclass(frozen=True)
class Waking:
    """`rested`: it had slept long enough to be woken by whoever asks it, and not by the breaker alone.

    Seconds from the first word of the first turn that Groq fails on: until the breaker opened, LocalWhisper was wanted,
    ran, and as many were wanted as the region's floor says; None: not seen. `turns`: when each began, and whatever had
    to be said again; `answers`: the agent's to them, and whether each was one, or an apology."""

    rested: bool
    breaker_s: float | None
    wanted_s: float | None
    running_s: float | None
    floor_s: float | None
    turns: Sequence[float]
    answers: Sequence[tuple[float, bool]]

    @property
    def in_time(self) -> bool:
        """It ran before the third turn began, if there was one."""
        return self.running_s is not None and all(self.running_s < begun for begun in self.turns[TURNS - 1 : TURNS])


async def load(region: Region) -> Load:
    assert await until_scaled(region, WHISPER, 0, SLEEPS_WITHIN_S), "LocalWhisper does not begin asleep"
    plans = [Plan(COME_WITHIN_S * place / CALLS, LASTS_S, Way.SPEAKING) for place in range(CALLS)]
    visits = Visits(region.server.url, plans)
    async with watched(region, lambda: visits.open, 1.0) as samples, visits:
        await asyncio.sleep(GROQ_FAILS_AT_S)
        region.groq.behaviours = {"stt": Behaviour(Fault.SERVER_ERROR)}
        await asyncio.sleep(GROQ_HEALS_AT_S - GROQ_FAILS_AT_S)
        region.groq.behaviours = {}
        await visits.over()
        await until_scaled(region, WHISPER, 0, SLEEPS_WITHIN_S)
    return Load(visits.begun, visits.all, list(samples), region.nodes)


async def wake(region: Region, *, rested: bool) -> Waking:
    """Once: one caller, who talks until the breaker has let Groq in again."""
    assert await until_scaled(region, WHISPER, 0, SLEEPS_WITHIN_S), "LocalWhisper does not sleep"
    if rested:  # see `serve_app.scaling.policy`
        await asyncio.sleep(region.deployments[WHISPER]["autoscaling_config"]["look_back_period_s"] + DOZES_S)
    floor = region.deployments["Gateway"]["user_config"]["scaling"]["while_stt_fails"][WHISPER]
    visits = Visits(region.server.url, [Plan(0.0, LASTS_S, Way.SPEAKING)])
    async with visits:
        [visit] = visits.all
        assert await until(lambda: len(visit.call.turns) > TURNS_BEFORE, TALKS_WITHIN_S), "the caller does not talk"
        begun = visit.call.turns[-1].said
        region.groq.behaviours = {"stt": Behaviour(Fault.SERVER_ERROR)}
        async with watched(region, lambda: visits.open, LOOKS_EVERY_S) as samples, breaker_watched(region) as states:
            await until(lambda: len(_answers(visit.call, begun)) >= TURNS, WAKES_WITHIN_S)
            await until(lambda: any(sample.scales[WHISPER].target >= floor for sample in samples), FLOOR_WITHIN_S)
        region.groq.behaviours = {}
        async with breaker_watched(region) as healing:
            await until(lambda: any(state == "closed" for _, state in healing), HEALS_WITHIN_S)
    scales = [(each.at, each.scales[WHISPER]) for each in samples]
    return Waking(
        rested,
        _first((at for at, state in states if state == "open"), begun),
        _first((at for at, scale in scales if scale.target), begun),
        _first((at for at, scale in scales if scale.running), begun),
        _first((at for at, scale in scales if scale.target >= floor), begun),
        [at - begun for turn in visit.call.turns for at in turn.sayings if at >= begun],
        _answers(visit.call, begun),
    )


@asynccontextmanager
async def breaker_watched(region: Region) -> AsyncIterator[list[tuple[float, str]]]:
    """Moments, and the state of Groq's breaker in them, as the gateway tells it; a list that grows in the block."""
    states: list[tuple[float, str]] = []

    async def look() -> None:
        while True:
            with suppress(OSError):
                state = await asyncio.to_thread(_breaker, region.server.url)
                states.append((asyncio.get_running_loop().time(), state))
            await asyncio.sleep(LOOKS_EVERY_S)

    async with beside(look()):
        yield states


def _breaker(url: str) -> str:
    with urllib.request.urlopen(f"{url}/readyz", timeout=10) as response:
        return str(json.load(response)["breakers"][BREAKER])


def _answers(call: Call, since: float) -> list[tuple[float, bool]]:
    """Of the agent's, after that moment: seconds since it, and whether it is one, or an apology. That a caller is asked
    to wait a moment is neither."""
    told = [each for each in call.told if each.type == "agent_response" and each.at > since]
    return [(each.at - since, not each.text.startswith(APOLOGY)) for each in told if each.text.startswith(ENDINGS)]


def _first(moments: Iterable[float], since: float) -> float | None:
    return next((moment - since for moment in moments), None)
