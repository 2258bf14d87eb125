"""A real server for tests: `python -m serve_app.launch` in a process of its own, beside any other on the machine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
START_S = 180.0
STOP_S = 20.0
TEST_MARK = "AUTOMAGIK_HELLO_TEST"
OWN_PORTS = (
    "PORT",
    "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_HAPROXY_METRICS_PORT",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
)
PROVIDERS = ("DATABASE_URL", "GROQ_", "LLM_", "ELEVENLABS_", "WHISPER_", "RAY_SERVE_", "PORT", "DASHBOARD")


@dataclass(frozen=True)
class Server:
    """`url` is http://127.0.0.1:PORT, `ws_url` the same with ws. `process` is the launcher."""

    process: subprocess.Popen[bytes]
    url: str
    ws_url: str
    data_dir: Path
    output: Path
    mark: str

    @property
    def log(self) -> str:
        """What the launcher has printed so far."""
        return self.output.read_text(encoding="utf-8")

    def pids(self) -> list[int]:
        """Every process the launcher has started, PostgreSQL too, and itself."""
        return started_with(self.mark)


@contextmanager
def running_server(
    data_dir: Path, environment: Mapping[str, str] | None = None, config: Path | None = None
) -> Iterator[Server]:
    """A server that is ready. Afterwards it gets one SIGINT, and must stop whole, with nothing left of it.

    `environment` is added to the caller's without any of its keys and URLs of providers: none are called by accident.
    """
    with launcher(data_dir, environment, config) as server:
        wait_for(server, r"^Ready in ", START_S)
        yield server
        stop(server)
        shutil.rmtree((data_dir / "run").resolve())  # its logs, of no use after a success


@contextmanager
def launcher(
    data_dir: Path, environment: Mapping[str, str] | None = None, config: Path | None = None
) -> Iterator[Server]:
    """The launcher at its start, for tests of the start itself. Whatever is left of it afterwards is killed."""
    mark = uuid.uuid4().hex
    data_dir.mkdir(parents=True, exist_ok=True)
    settings = {**_own_settings(data_dir), TEST_MARK: mark, **(environment or {})}
    command = [sys.executable, "-m", "serve_app.launch", *([str(config)] if config else [])]
    output = data_dir / "launcher.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**_without_providers(os.environ), **settings},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    port = settings["PORT"]
    try:
        yield Server(process, f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}", data_dir, output, mark)
    finally:
        for pid in started_with(mark):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def stop(server: Server, number: signal.Signals = signal.SIGINT) -> float:
    """Send one signal; the launcher must exit with 0 and leave no process. Returns the seconds it took."""
    started = time.monotonic()
    server.process.send_signal(number)
    code = server.process.wait(STOP_S)
    assert code == 0, f"the launcher exited with {code}:\n{server.log}"
    assert server.pids() == [], f"left running: {[_command(pid) for pid in server.pids()]}\n{server.log}"
    return time.monotonic() - started


def wait_for(server: Server, pattern: str, timeout_s: float) -> None:
    """Until a line the launcher printed matches; fails at once when it exits first."""
    deadline = time.monotonic() + timeout_s
    while not re.search(pattern, server.log, re.MULTILINE):
        assert server.process.poll() is None, f"the launcher exited with {server.process.returncode}:\n{server.log}"
        assert time.monotonic() < deadline, f"no {pattern!r} within {timeout_s} s:\n{server.log}"
        time.sleep(0.1)


def started_with(mark: str) -> list[int]:
    """Process ids whose environment at their start had our mark; children inherit it."""
    entry = f"{TEST_MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and entry in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # gone, or another user's
    return found


def _own_settings(data_dir: Path) -> dict[str, str]:
    ports = dict(zip(OWN_PORTS, map(str, free_ports(len(OWN_PORTS))), strict=True))
    replicas = {"RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(_free_range(20))}
    return {**ports, **replicas, "DATA_DIR": str(data_dir), "DASHBOARD": "0", "PYTHONUNBUFFERED": "1"}


def _without_providers(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith(PROVIDERS)}


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("0.0.0.0", 0))
        return [listener.getsockname()[1] for listener in sockets]


def _free_range(count: int) -> int:
    """The first of `count` free ports in a row, below the kernel's own choices (32768 up)."""
    for first in range(20000 + os.getpid() % 500 * 20, 32000, count):
        with ExitStack() as held:
            try:
                for number in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("0.0.0.0", number))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    except OSError:
        return "gone"
