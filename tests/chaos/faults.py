"""What is done to the server, each with what must come of it."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from tests.chaos.caller import until
from tests.chaos.outcome import DEATH, NO_DROPS, NOBODY_NOTICES, NOTHING_LOST, Bar
from tests.chaos.parts import CONTROLLER, HAPROXY, send
from tests.chaos.server import Site

OUTAGE_S = 60.0
KILLED_AFTER_S = 20.0
FROZEN_S = 20.0
FULL_S = 20.0
DEPLOYED_WITHIN_S = 120.0


class NotToBeHadError(Exception):
    """The fault cannot be made on this machine; the message says why."""


class Fault(NamedTuple):
    """`happens` returns when the fault is over, if it is one that lasts, with the moment when sockets should have
    broken, on the event loop's clock; None: each at a moment of its own. `adds`: gateways there are more of then.
    `prepares`: before the callers come."""

    title: str
    happens: Callable[[Site], Awaitable[float | None]]
    bars: tuple[Bar, ...] = ()
    adds: int = 0
    prepares: Callable[[Site], Awaitable[None]] | None = None


# ---- what ends


async def killed(part: str, site: Site) -> float:
    """The eldest of its replicas."""
    [eldest, *_] = site.parts[part]
    send(signal.SIGKILL, [eldest])
    return _now()


async def haproxy_killed(site: Site) -> float:
    """Those too that hold old sockets only."""
    send(signal.SIGKILL, site.parts[HAPROXY])
    return _now()


async def frozen(site: Site) -> float:
    [eldest, *_] = site.parts["Gateway"]
    begun = _now()
    send(signal.SIGSTOP, [eldest])
    await asyncio.sleep(FROZEN_S)
    send(signal.SIGCONT, [eldest])
    return begun


async def postgres_away(site: Site) -> float:
    begun = _now()
    site.postgres.kill()
    await asyncio.sleep(OUTAGE_S)
    await asyncio.to_thread(site.postgres.start)
    return begun


async def postgres_away_and_gateway_killed(site: Site) -> float:
    site.postgres.kill()
    await asyncio.sleep(KILLED_AFTER_S)
    moment = await killed("Gateway", site)
    await asyncio.sleep(OUTAGE_S - KILLED_AFTER_S)
    await asyncio.to_thread(site.postgres.start)
    return moment


async def disk_full(site: Site) -> float:
    if not site.journal_disk:
        raise NotToBeHadError("only root may mount a small file system")
    begun, filler = _now(), site.journal_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        _fill(file.fileno())
        await asyncio.sleep(FULL_S)
    filler.unlink()
    return begun


def _fill(file: int) -> None:
    """To the last byte."""
    block = bytes(4096)
    try:
        while os.write(file, block) == len(block):
            pass
    except OSError:
        pass  # it is full


async def node_joins(site: Site) -> None:
    """With a gateway on it, and one on the first: both are new, since Serve replaces them when told to spread them."""
    node, old = site.add_node(), {*site.parts["Gateway"]}
    site.deployments["Gateway"]["max_replicas_per_node"] = 1
    await scaled(2, site)
    await _deployed(lambda: not old & {*site.parts["Gateway"]} and len(site.parts["Gateway"]) == 2 and site.ready())
    assert {*site.parts["Gateway"]} & {*node.pids}, "no gateway went to the node"


async def node_killed(site: Site) -> float:
    [node] = site.nodes
    node.kill()
    return _now()


# ---- what operators do


async def config_updated(site: Site) -> None:
    site.deployments["Gateway"]["user_config"].update(hedge_percentile=0.9, early_recognitions_a_minute=200)
    site.deployments["TtsProxy"]["user_config"].update(generations=8)
    for deployment in site.deployments.values():
        deployment["autoscaling_config"]["target_ongoing_requests"] += 1
    await site.deploy()


async def scaled(gateways: int, site: Site) -> None:
    site.deployments["Gateway"]["autoscaling_config"].update(min_replicas=gateways, max_replicas=gateways)
    await site.deploy()
    await _deployed(lambda: len(site.parts["Gateway"]) == gateways)


async def code_updated(site: Site) -> None:
    """Serve takes another runtime environment for another version of the code, and replaces every replica."""
    old = {pid for name, pids in site.parts.items() if name not in (CONTROLLER, HAPROXY) for pid in pids}
    site.config["applications"][0]["runtime_env"] = {"env_vars": {"CODE_VERSION": "2"}}
    await site.deploy()
    await _deployed(lambda: not old & {pid for pids in site.parts.values() for pid in pids})


async def _deployed(done: Callable[[], bool]) -> None:
    assert await until(done, DEPLOYED_WITHIN_S), "the new config did not come into force"


def _now() -> float:
    return asyncio.get_running_loop().time()


FAULTS = [
    Fault("scale up, 1 → 2 gateways", partial(scaled, 2), (NO_DROPS, NOTHING_LOST), adds=1),
    Fault("config update, changed numbers", config_updated, (NO_DROPS, NOTHING_LOST)),
    Fault("SIGKILL of a gateway", partial(killed, "Gateway"), (DEATH, NOTHING_LOST)),
    Fault("SIGKILL of Vad", partial(killed, "Vad"), (DEATH, NOTHING_LOST)),
    Fault("SIGKILL of LocalWhisper", partial(killed, "LocalWhisper"), (DEATH, NOTHING_LOST)),
    Fault("SIGKILL of TtsProxy", partial(killed, "TtsProxy"), (DEATH, NOTHING_LOST)),
    Fault("SIGKILL of HAProxy", haproxy_killed, (NOTHING_LOST,)),
    Fault("SIGKILL of Serve's controller", partial(killed, CONTROLLER), (NOTHING_LOST,)),
    Fault(f"a gateway frozen for {FROZEN_S:.0f} s", frozen, (NOTHING_LOST,)),
    Fault(f"PostgreSQL killed, back after {OUTAGE_S:.0f} s", postgres_away, (NOBODY_NOTICES, NOTHING_LOST)),
    Fault("the same, and a gateway killed meanwhile", postgres_away_and_gateway_killed, (DEATH, NOTHING_LOST)),
    Fault(
        f"disk full under the journal for {FULL_S:.0f} s",
        disk_full,
        (NOBODY_NOTICES, NOTHING_LOST),
    ),
    Fault("code update", code_updated, (NOTHING_LOST,)),
    Fault("scale down, 2 → 1 gateways", partial(scaled, 1), (NOTHING_LOST,), adds=-1),
    Fault("SIGKILL of a worker node, all of it", node_killed, adds=-1, prepares=node_joins),
]
