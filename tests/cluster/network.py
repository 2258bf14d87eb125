"""A private network on this machine: every member a network namespace with an address of its own, on one bridge.

It takes root and the program `ip`. Which member may open connections to which is decided as AWS does it, by security
groups: the kernel's own filter (nftables) is given the rules of configs/aws/region.yaml.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.cluster.security_groups import WORLD, rules
from tests.cluster.tools import environment, program

ROUTER = "10.0.1.1"
"""Where every member's default route leads, and ends. Ray finds its own address by it."""
BITS = 24
"""Of an address, those that all members share."""
FILTER = """
table inet guard {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
%s
  }
}
"""


class Network:
    """`addresses` by the members' names, which are in `groups`, by the groups' names."""

    def __init__(self, prefix: str, addresses: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> None:
        self.addresses = addresses
        self._prefix = prefix
        self._groups = groups

    def inside(self, member: str, command: Sequence[str]) -> list[str]:
        """The command that runs `command` in the member's namespace."""
        return ["ip", "netns", "exec", self._name(member), *command]

    def members(self, group: str) -> Sequence[str]:
        return self._groups.get(group, ())

    def build(self) -> None:
        router = self._name("router")
        _ip("netns", "add", router)
        _ip("-n", router, "link", "add", "bridge", "type", "bridge")
        _ip("-n", router, "address", "add", f"{ROUTER}/{BITS}", "dev", "bridge")
        _ip("-n", router, "link", "set", "bridge", "up")
        for member, address in self.addresses.items():
            name = self._name(member)
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", router, "link", "add", member, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("-n", router, "link", "set", member, "master", "bridge", "up")
            _ip("-n", name, "address", "add", f"{address}/{BITS}", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "route", "add", "default", "via", ROUTER)

    def guard(self, group: str) -> None:
        """From now on the security groups decide who reaches the members of `group`."""
        for member in self.members(group):
            filter_rules = "\n".join(self._filter(group))
            subprocess.run(
                self.inside(member, [program("nft"), "-f", "-"]),
                input=FILTER % filter_rules,
                env={**os.environ, **environment()},
                text=True,
                check=True,
            )

    def remove(self) -> None:
        for member in ("router", *self.addresses):
            subprocess.run(["ip", "netns", "delete", self._name(member)], check=False, stderr=subprocess.DEVNULL)

    def _filter(self, group: str) -> Iterator[str]:
        for rule in rules():
            if rule.group == group:
                sources = [self.addresses[member] for member in self.members(rule.source)]
                if rule.source == WORLD:
                    yield f"tcp dport {rule.first}-{rule.last} accept"
                elif sources:
                    yield f"ip saddr {{ {', '.join(sources)} }} tcp dport {rule.first}-{rule.last} accept"

    def _name(self, member: str) -> str:
        return f"{self._prefix}-{member}"


@contextmanager
def network(addresses: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> Iterator[Network]:
    """It is there while the block runs."""
    built = Network(f"hello-{os.getpid()}", addresses, groups)
    try:
        built.build()
        yield built
    finally:
        built.remove()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
