"""Which process is which part of a server under test, and signals to them."""

import os
import re
import signal
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.acceptance.server import started_with

REPLICA = re.compile(r"^ray::ServeReplica:hello:(\w+)")
CONTROLLER = "ServeController"
HAPROXY = "haproxy"
Pids = dict[str, list[int]]


def parts(mark: str) -> Pids:
    """Process ids of a server's replicas, by deployment; of Serve's controller; of HAProxy. The eldest first."""
    found: Pids = defaultdict(list)
    for pid in started_with(mark):
        if name := _part(pid):
            found[name].append(pid)
    return {name: sorted(pids, key=_started) for name, pids in found.items()}


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """To each that still runs."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def descendants(pid: int) -> list[int]:
    """The process, and what it has started, and what that has started."""
    children = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (parent := _parent(int(folder.name))):
            children[parent].append(int(folder.name))
    found = [pid]
    for each in found:  # grows meanwhile
        found += children[each]
    return found


def _part(pid: int) -> str | None:
    command = _read(pid, "cmdline")
    if replica := REPLICA.match(command):
        return replica[1]
    if command.startswith("ray::ServeController"):
        return CONTROLLER
    return HAPROXY if _read(pid, "comm").strip() == HAPROXY else None


def _started(pid: int) -> int:
    """Clock ticks since the machine's start: field 22 of proc(5)'s stat."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[19]) if fields else 0


def _parent(pid: int) -> int | None:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else None


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text().replace("\0", " ")
    except OSError:
        return ""  # gone
