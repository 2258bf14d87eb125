"""A real server for tests: `python -m serve_app.launch` in a process of its own, beside any other on the machine."""

import os
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
API_KEY = "key-of-the-acceptance-tests"
OWN_PORTS = (
    "PORT",
    "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_HAPROXY_METRICS_PORT",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT",  # the last: all that are left are the replicas'
)
PORTS_OF_A_RUN = 24
NOT_OURS = (
    *("DATABASE_URL", "GROQ_", "LLM_", "ELEVENLABS_", "WHISPER_", "RAY_SERVE_", "PORT", "DASHBOARD", "AGENTS_DIR"),
    *("API_KEYS", "SIGNING_SECRET", "PUBLIC_URL", "CORS_ORIGINS", "OTEL_", "REGION", "HOP_BUDGETS_MS"),
)


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

    def left_running(self) -> list[str]:
        """Their command lines."""
        return [_command(pid) for pid in self.pids()]


@contextmanager
def running_server(
    data_dir: Path, *, config: Path | None = None, region: str | None = None, **environment: str
) -> Iterator[Server]:
    """A server that is ready. Afterwards it gets a Ctrl-C, and must stop whole, with nothing left of it."""
    with launcher(data_dir, config=config, region=region, **environment) as server:
        wait_until_ready(server)
        yield server
        stop(server)
        shutil.rmtree((data_dir / "run").resolve())  # its logs, of no use after a success


@contextmanager
def launcher(
    data_dir: Path, *, config: Path | None = None, region: str | None = None, **environment: str
) -> Iterator[Server]:
    """The launcher at its start, for tests of the start itself. Whatever is left of it afterwards is killed.

    `config` is a Serve config, the shipped one if neither it nor a `region` is given. `environment` is added to the
    caller's without what it has of our settings: no provider is called by accident.
    """
    mark = uuid.uuid4().hex
    which = ["--region", region] if region else [str(config)] if config else []
    settings = {**_own_settings(data_dir), TEST_MARK: mark, **environment}
    output = data_dir / f"launcher-{mark}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve_app.launch", *which],
            cwd=REPOSITORY,
            env={**_without_settings(os.environ), **settings},
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


def stop(server: Server) -> None:
    """Ctrl-C, which reaches the terminal's whole process group. The launcher must exit with 0, and leave no process."""
    os.killpg(server.process.pid, signal.SIGINT)
    code = server.process.wait(STOP_S)
    assert code == 0, f"the launcher exited with {code}:\n{server.log}"
    assert server.pids() == [], f"left running: {server.left_running()}\n{server.log}"


def wait_until_ready(server: Server) -> None:
    """Fails at once when the launcher exits first."""
    deadline = time.monotonic() + START_S
    while "\nReady in " not in server.log:
        assert server.process.poll() is None, f"the launcher exited with {server.process.returncode}:\n{server.log}"
        assert time.monotonic() < deadline, f"not ready within {START_S} s:\n{server.log}"
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
    ports = dict(zip(OWN_PORTS, map(str, free_ports()), strict=False))
    return {**ports, "DATA_DIR": str(data_dir), "DASHBOARD": "0", "PYTHONUNBUFFERED": "1"}


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith(NOT_OURS)}


def free_ports() -> range:
    """PORTS_OF_A_RUN free ports in a row, below the kernel's own choices (32768 up): no client can get into them."""
    for first in range(20000 + os.getpid() % 250 * PORTS_OF_A_RUN, 32000, PORTS_OF_A_RUN):
        ports = range(first, first + PORTS_OF_A_RUN)
        with ExitStack() as held:
            try:
                for number in ports:
                    held.enter_context(socket.socket()).bind(("0.0.0.0", number))
            except OSError:
                continue
            return ports
    raise AssertionError("no free ports")


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    except OSError:
        return "gone"
