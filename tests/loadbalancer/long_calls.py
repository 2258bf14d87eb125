"""Long calls over TLS, every limit on time a tenth of what is shipped: none cuts a call of 60 s with 40 s of silence.

Beside them the same with one limit too low, which does. `make wss` runs this (three minutes: two servers, one after the
other) and writes what came of it into docs/loadbalancer.md.
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import yaml

from tests.acceptance.javascript import NodeClient, node_client
from tests.acceptance.server import REPOSITORY, Server, running_server
from tests.chaos.server import CONFIG, deploy, deployments, free_port
from tests.loadbalancer.certificates import Authority
from tests.loadbalancer.front_end import NGINX, FrontEnd, Start, haproxy, nginx

PAGE = REPOSITORY / "docs" / "loadbalancer.md"
HEADING = "## Measured"
INTRODUCTION = """
`make wss` makes this table. Official JavaScript clients, by text, call a whole server through the shipped files. \
Every limit is a tenth of what is shipped: 66 s of silence, 720 s for a process that was replaced, 360 and 720 s in \
the node; the longest call is 60 s. Pings stay as they are. A caller takes one turn in the beginning and one in the \
end; in the last row one every 3 s. After 20 s all certificates are renewed and a gateway is added, for which Serve \
replaces the node's HAProxy. Where a row names a limit, that one is too low. What calls notice of a drain is measured \
in [chaos.md](chaos.md).
"""

LONGEST_CALL_S = 60
QUIET_TURNS_AT_S = (5.0, 46.0)
CHANGE_AT_S = 20.0
LATE_S = 15.0

AGENT = {
    "name": "Long",
    "conversation_config": {
        "agent": {"first_message": "Olá!", "language": "pt"},
        "conversation": {"max_duration_seconds": LONGEST_CALL_S},
    },
    "platform_settings": {"overrides": {"conversation_config_override": {"conversation": {"text_only": True}}}},
}
TENTH: Mapping[Start, Mapping[str, str]] = {
    nginx: {"_timeout 660s": "_timeout 66s", "worker_shutdown_timeout 7200s": "worker_shutdown_timeout 720s"},
    haproxy: {
        **{f"timeout {side} 660s": f"timeout {side} 66s" for side in ("client", "server", "tunnel")},
        "hard-stop-after 7200s": "hard-stop-after 720s",
    },
}
SILENCE_OF_NODE = "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S"
LIFE_OF_NODE = "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"


class Trial(NamedTuple):
    """A call through a front end with these `changes` of its configuration after those of TENTH. `quiet`: it takes a
    turn in the beginning and one in the end; else one every 3 s."""

    title: str
    start: Start
    changes: Mapping[str, str]
    lasts: bool
    quiet: bool = True


class Ended(NamedTuple):
    """`why`: the client's own words. `silence_s`: the longest between two turns."""

    after_s: float
    why: str
    silence_s: float

    @property
    def by_its_agent(self) -> bool:
        return "max_duration_seconds" in self.why


FRONT_ENDS = (
    Trial("nginx, all a tenth", nginx, {}, lasts=True),
    Trial("nginx, `proxy_read_timeout 5s`", nginx, {"proxy_read_timeout 66s": "proxy_read_timeout 5s"}, lasts=False),
    Trial("nginx, `proxy_send_timeout 5s`", nginx, {"proxy_send_timeout 66s": "proxy_send_timeout 5s"}, lasts=True),
    Trial(
        "nginx, `worker_shutdown_timeout 5s`",
        nginx,
        {"worker_shutdown_timeout 720s": "worker_shutdown_timeout 5s"},
        lasts=False,
    ),
    Trial("HAProxy, all a tenth", haproxy, {}, lasts=True),
    Trial("HAProxy, `timeout client 5s`", haproxy, {"timeout client 66s": "timeout client 5s"}, lasts=False),
    Trial("HAProxy, `hard-stop-after 5s`", haproxy, {"hard-stop-after 720s": "hard-stop-after 5s"}, lasts=False),
)
NODES = (
    Trial(f"the node's HAProxy, `{SILENCE_OF_NODE}=5`", nginx, {}, lasts=False),
    Trial(f"the node's HAProxy, `{LIFE_OF_NODE}=5`", nginx, {}, lasts=False, quiet=False),
)


def main() -> int:
    """0: all went as expected."""
    if not NGINX:
        print("There is no nginx: make nginx")
        return 2
    results = [
        *measured(FRONT_ENDS, {SILENCE_OF_NODE: "360", LIFE_OF_NODE: "720"}),
        *measured(NODES, {SILENCE_OF_NODE: "5", LIFE_OF_NODE: "5"}),
    ]
    text = table(results)
    print(text)
    kept, heading, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    PAGE.write_text(f"{kept}{heading}\n{INTRODUCTION}\n{text}", encoding="utf-8")
    return int(any(ended.by_its_agent != trial.lasts for trial, ended in results))


def measured(trials: Sequence[Trial], node: Mapping[str, str]) -> list[tuple[Trial, Ended]]:
    """At once, against one server whose HAProxy has the limits `node`."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="hello-")))
        (folder / "agents").mkdir()
        (folder / "agents" / "long.yaml").write_text(yaml.safe_dump(AGENT), encoding="utf-8")
        authority, dashboard = Authority(folder), free_port()
        os.environ["NODE_EXTRA_CA_CERTS"] = str(authority.path)
        server = running.enter_context(
            running_server(folder, AGENTS_DIR=str(folder / "agents"), DASHBOARD=str(dashboard), **node)
        )
        port = urlsplit(server.url).port
        assert port
        front_ends = [
            running.enter_context(trial.start(authority.issue(), [port, port], {**TENTH[trial.start], **trial.changes}))
            for trial in trials
        ]

        async def scenario() -> list[Ended]:
            starting, connected = asyncio.Lock(), asyncio.Barrier(len(trials) + 1)
            async with asyncio.TaskGroup() as group:
                calls = [
                    group.create_task(call(trial, front_end, starting, connected))
                    for trial, front_end in zip(trials, front_ends, strict=True)
                ]
                await connected.wait()
                await asyncio.sleep(CHANGE_AT_S)
                renew(front_ends, authority)
                await add_gateway(server, f"http://127.0.0.1:{dashboard}")
            return [ended.result() for ended in calls]

        return list(zip(trials, asyncio.run(scenario()), strict=True))


async def call(trial: Trial, front_end: FrontEnd, starting: asyncio.Lock, connected: asyncio.Barrier) -> Ended:
    """Clients start one at a time: two cores have enough to do with that."""
    options = {"agentId": "long", "origin": front_end.ws_url, "connectionType": "websocket", "textOnly": True}
    async with AsyncExitStack() as running:
        async with starting:
            client = await running.enter_async_context(node_client())
            await client.call("startSession", options)
        began = (await client.until("onConnect")).at
        await connected.wait()
        talking = asyncio.create_task(talk(client, trial.quiet))
        over = await client.until("onDisconnect", seconds=LONGEST_CALL_S + LATE_S)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        turns = [began, *(event.at for event in client.events if event.event == "onMessage"), over.at]
        silence_s = max(after - before for before, after in pairwise(turns))
        return Ended(over.at - began, over.value.get("message", ""), silence_s)


async def talk(client: NodeClient, quiet: bool) -> None:
    """Typed turns, at their times since the start."""
    before = 0.0
    for at in QUIET_TURNS_AT_S if quiet else range(3, LONGEST_CALL_S, 3):
        await asyncio.sleep(at - before)
        await client.call("sendUserMessage", "bom dia")
        before = at


def renew(front_ends: Sequence[FrontEnd], authority: Authority) -> None:
    for front_end in front_ends:
        front_end.install(authority.issue())
        front_end.reload()


async def add_gateway(server: Server, dashboard: str) -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    deployments(config)["Gateway"]["autoscaling_config"].update(min_replicas=2, max_replicas=2)
    await deploy(server, dashboard, config)


def table(results: Sequence[tuple[Trial, Ended]]) -> str:
    lines = ["| limits | the call lasted | longest silence | its client was told |", "|---|---|---|---|"]
    for trial, ended in results:
        lines.append(f"| {trial.title} | {ended.after_s:.1f} s | {ended.silence_s:.0f} s | {ended.why} |")
    return "\n".join(lines) + "\n"
