"""What a server holds at a moment: memory, open files, sockets, tasks, database connections. Read from outside."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.server import Server
from tests.acceptance.test_metrics import exposition

TASKS = re.compile(r"^ray_hello_tasks\{.*\} (\S+)$", re.MULTILINE)
BACKEND = "postgres: "
CONNECTED = re.compile(r"postgres: \S+ \S+ (\[local\]|\S+\(\d+\)) ")
"""The title of a PostgreSQL process that serves a client: user, database, where from, and what it does."""


class Held(NamedTuple):
    """By the processes of one name, of which there are so many. `memory`: bytes of resident memory but for what they
    share with others (PostgreSQL's buffers, Ray's object store), which would count again in each."""

    processes: int
    memory: int
    files: int
    sockets: int


class Vitals(NamedTuple):
    """`tasks`: of the gateways' event loops. `connections`: to the database. `journal`: files in its folder, which are
    there for conversations that go on, or are not stored yet."""

    processes: dict[str, Held]
    tasks: int
    connections: int
    journal: int

    @classmethod
    def of(cls, server: Server) -> "Vitals":
        commands = {pid: command for pid in _with_children(server.pids()) if (command := _command(pid))}
        by_name: dict[str, list[Held]] = defaultdict(list)
        for pid, command in commands.items():
            if holds := held_by(pid):
                by_name[name_of(command)].append(holds)
        tasks = sum(float(value) for value in TASKS.findall(exposition(server)))
        return cls(
            {name: _sum(held) for name, held in sorted(by_name.items())},
            round(tasks),
            sum(bool(CONNECTED.match(command)) for command in commands.values()),
            sum(path.is_file() for path in (server.data_dir / "journal").rglob("*")),
        )

    @property
    def memory(self) -> int:
        return sum(held.memory for held in self.processes.values())

    @property
    def sockets(self) -> int:
        return sum(held.sockets for held in self.processes.values())


def cpu_seconds(server: Server) -> tuple[float, float]:
    """Of the server's processes that are alive, and of this one, since each began."""
    ours = _cpu_seconds(os.getpid())
    return sum(map(_cpu_seconds, _with_children(server.pids()))), ours


def _cpu_seconds(pid: int) -> float:
    user, system = _stat(pid)[11:13] or (0, 0)  # utime and stime of proc_pid_stat(5)
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def name_of(command: str) -> str:
    """What people call a process with this command line; PostgreSQL's that serve clients share one name."""
    if CONNECTED.match(command):
        return "postgres: client"
    if command.startswith(BACKEND):
        return command.strip()
    program, *arguments = command.split()
    if program.startswith("ray::"):
        return program.removeprefix("ray::")
    name = Path(program).name
    if name.startswith("python"):
        module = arguments[arguments.index("-m") + 1 :] if "-m" in arguments else []
        scripts = [Path(argument).name for argument in arguments if argument.endswith(".py")]
        name = [*module, *scripts, name][0]
    return name


def _with_children(pids: Sequence[int]) -> set[int]:
    """PostgreSQL's write their title over the mark in their environment."""
    everybody = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return {*pids, *(pid for pid in everybody if _parent(pid) in pids)}


def _parent(pid: int) -> int:
    return int((_stat(pid)[1:2] or ["0"])[0])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: a program's name, the second, may hold anything."""
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return []  # gone
    return stat.rpartition(")")[2].split()


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""  # gone


def held_by(pid: int) -> Held | None:
    folder = Path("/proc") / str(pid)
    try:
        links = [_target(link) for link in (folder / "fd").iterdir()]
        return Held(1, unshared(folder / "status"), len(links), sum(link.startswith("socket:") for link in links))
    except OSError:
        return None  # gone


def unshared(status: Path) -> int:
    """Bytes: VmRSS less RssShmem of a /proc/PID/status."""
    sizes = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return (_kilobytes(sizes["VmRSS"]) - _kilobytes(sizes["RssShmem"])) * 1024


def _kilobytes(value: str) -> int:
    return int(value.split()[0])


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # closed


def _sum(held: Iterable[Held]) -> Held:
    return Held(*map(sum, zip(*held, strict=True)))
