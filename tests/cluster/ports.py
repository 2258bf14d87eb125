"""`make ports`: which ports the nodes of a region listen on, and who reaches them.

The region of region.py is started, each of its nodes' listening sockets is looked up in the kernel, all 65,535 ports
are tried from an address outside, then the kernel is given the security groups, and every listening port is tried from
where the internet, the load balancer, Prometheus and the other node are. All of it must be as docs/regions.md says.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable

from tests.cluster.ports_table import row_of, table
from tests.cluster.region import Region, running_region
from tests.cluster.tools import missing

NODES = ("head", "gateway")
VISITORS = {"the internet": "world", "the load balancer": "balancer", "Prometheus": "prometheus"}
EVERY_PORT = range(1, 65536)
LISTENING = re.compile(r"^LISTEN +\S+ +\S+ +(\S+):(\d+) .*?(?:\(\(\"([^\"]+)\"|$)", re.MULTILINE)
"""A line of `ss`: address, port, program."""
CONNECT = """
import asyncio, json, sys

async def open_ports(address, ports):
    places = asyncio.Semaphore(500)

    async def is_open(port):
        async with places:
            try:
                async with asyncio.timeout(1.5):
                    _, writer = await asyncio.open_connection(address, port)
            except OSError:  # refused, or not within the time
                return False
            writer.close()
            return True

    answers = await asyncio.gather(*map(is_open, ports))
    return [port for port, answer in zip(ports, answers) if answer]

address, ports = json.load(sys.stdin)
print(json.dumps(asyncio.run(open_ports(address, ports))))
"""
LOOPBACK = {"127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"}


def main() -> int:
    if reason := missing():
        print(f"Nothing was scanned: {reason}")
        return 1
    started = time.monotonic()
    with running_region() as region:
        print(f"A head and a gateway node take calls after {time.monotonic() - started:.0f} s.")
        problems = [problem for node in NODES for problem in scan(region, node)]
        region.network.guard("NodeGroup")
        problems += [problem for node in NODES for problem in scan_guarded(region, node)]
    print("\n".join(problems) or f"All of it is as docs/regions.md says, after {time.monotonic() - started:.0f} s.")
    return 1 if problems else 0


def scan(region: Region, node: str) -> Iterable[str]:
    """Without any guard, as the node itself is. Problems, in words."""
    heard = listening(region, node)
    outside = {port for port, (_, open_to_all) in heard.items() if open_to_all}
    found = set(reachable(region, "world", node, EVERY_PORT))
    for port in sorted(found ^ outside):
        yield f"{node}: port {port} is {'open, and nobody listens' if port in found else 'bound, and yet closed'}"
    for port, (program, _) in sorted(heard.items()):
        if row_of(port, node) is None:
            yield f"{node}: {program} listens on {port}, which docs/regions.md does not say"
    for row in table():
        if row.on in {"every node", node} and row.first == row.last and row.first not in heard:
            yield f"{node}: nobody listens on {row.first}, where docs/regions.md has {row.listener}"
    print(
        f"{node}: {len(heard)} ports, {len(outside)} of them not its loopback's: " + ", ".join(map(str, sorted(heard)))
    )


def scan_guarded(region: Region, node: str) -> Iterable[str]:
    """With the security groups in force. Problems, in words."""
    other = next(each for each in NODES if each != node)
    heard = listening(region, node)
    reached = {who: set(reachable(region, member, node, heard)) for who, member in VISITORS.items()}
    reached["nodes"] = set(reachable(region, other, node, heard))
    for who, ports in reached.items():
        said = {port for port in heard if (row := row_of(port, node)) and who in row.reached_by}
        for port in sorted(ports ^ said):
            yield f"{node}: {who} {'reaches' if port in ports else 'does not reach'} {port}, unlike docs/regions.md"
        print(f"{node}, reached by {who}: {', '.join(map(str, sorted(ports))) or 'nothing'}")


def listening(region: Region, node: str) -> dict[int, tuple[str, bool]]:
    """Who listens on a port, and whether on other interfaces than the node's own loopback."""
    found: dict[int, tuple[str, bool]] = {}
    for address, port, program in LISTENING.findall(region.run(node, "ss", "-ltnpH")):
        outside = address not in LOOPBACK or found.get(int(port), ("", False))[1]
        found[int(port)] = program, outside
    return found


def reachable(region: Region, member: str, node: str, ports: Iterable[int]) -> list[int]:
    """Of `ports` of the node, those that `member` can connect to."""
    done = subprocess.run(
        region.network.inside(member, [sys.executable, "-c", CONNECT]),
        input=json.dumps([region.network.addresses[node], list(ports)]),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[int] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
