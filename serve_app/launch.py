"""`python -m serve_app.launch [CONFIG | --region REGION]`: the whole server on one machine, with one command.

It starts PostgreSQL (unless DATABASE_URL names one), Ray, Serve and the application, tells each step, ends with the
URL and what is switched on, and stops all of it on Ctrl-C. Nothing it did not start is touched.
"""

import argparse
import json
import os
import re
import secrets
import signal
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from serve_app import run_processes
from serve_app.errors import ConfigurationError, HelloError
from serve_app.observability import logs
from serve_app.ports_in_use import check_free, ports_of
from serve_app.run_environment import keep_apart, load_flags, new_folder, run_lock
from serve_app.serve_config import files
from serve_app.terminal import NAME_WIDTH, Terminal

if TYPE_CHECKING:  # importing it imports Ray, which must not be before configs/ray.env is in the environment
    from serve_app.local_cluster import LocalCluster

REPOSITORY = Path(__file__).parents[1]
RAY_FLAGS = REPOSITORY / "configs" / "ray.env"
LOCAL_CONFIG = REPOSITORY / "configs" / "local.yaml"
LOGS = Path("run/session_latest/logs")  # in the data folder: Ray's name for this run's session

APPLICATION_S = 600.0  # to the application's start: models may have to be loaded, on a slow machine
READY_S = 120.0  # from there to its first 200 on /readyz
STILL_WAITING_S = 15.0  # between lines about what a long step waits for
POLL_S = 0.2  # between looks at a server that starts
WATCH_S = 2.0  # between looks at a running server

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RAY_CORE = {"gcs_server", "raylet"}  # without one of these two nothing works for long

SWITCHED_ON = {  # keys of /readyz, and what they are called
    "stt": "speech to text",
    "llm": "language model",
    "voice": "voice",
    "judge": "turn judge",
    "store": "conversations",
}

# What /readyz says of speech to text while a model is on its way: it is better than the one that hears.
DOWNLOADING = re.compile(r"Downloading (\S+): (\d+) %")
ON_ITS_WAY = re.compile(r"Downloading|being loaded|next attempt")


class LaunchError(HelloError):
    """The server did not start, or died. The message is for the operator."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m serve_app.launch", description="Start the server on this machine.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("config", nargs="?", type=Path, default=LOCAL_CONFIG, help="a Serve config file")
    which.add_argument("--region", help="a region's config, with what is different on one machine")
    given = parser.parse_args()
    terminal = Terminal()
    stop_on_signals(terminal)
    try:
        run(given.config, given.region, terminal)
    except HelloError as e:
        terminal.say(f"\n{e.message}")
        if not isinstance(e, ConfigurationError) and (logs := data_folder() / LOGS).exists():
            terminal.say(f"Logs: {logs}")
        return 1
    except Exception:  # noqa: BLE001 - a fault of ours is told like any failure: the process must end by os._exit
        terminal.say(f"\n{traceback.format_exc()}")
        return 1
    except (KeyboardInterrupt, SystemExit):  # Ray's own handler of SIGTERM, in force while Ray starts, exits
        terminal.say("Stopped.")
    return 0


def run(config_path: Path, region: str | None, terminal: Terminal) -> NoReturn:
    """Start everything and stay; leaving, by whatever exception, stops what was started, the last first. The config of
    a region takes the place of the other."""
    started = time.monotonic()
    terminal.say("Automagik Hello")
    with ExitStack() as running:
        with terminal.step("settings"):
            logs.on_stderr(os.environ)
            load_flags(RAY_FLAGS)
            data_dir = data_folder()
            ports = ports_of(os.environ)
            url = f"http://127.0.0.1:{ports[0].number}"
            running.enter_context(run_lock(data_dir / "run.lock", url))
            check_free(ports)
            folder = new_folder(data_dir / "run")
            keep_apart(folder)
            share_signing_secret()
            if region:
                config_path = region_here(region, folder, terminal)
            cluster = local_cluster(config_path, ports[0].number)
            share_journal(data_dir)
            os.environ["RECORDINGS_DIR"] = os.environ.get("RECORDINGS_DIR") or str(data_dir / "recordings")
        running.enter_context(terminal.output_to(folder / "launcher.log"))
        if not os.environ.get("DATABASE_URL"):
            with terminal.step("PostgreSQL (embedded)"):
                running.enter_context(embedded_postgres(data_dir / "postgres"))
        running.enter_context(whole(cluster, folder))
        start(cluster, folder, terminal)
        with terminal.step("application"):
            await_application(cluster, terminal)
        with terminal.step("ready"):
            parts = await_ready(f"{url}/readyz")
        terminal.say(summary(parts, url, time.monotonic() - started))
        stay(cluster, folder, terminal, model_progress(f"{url}/readyz", parts, terminal))


def region_here(region: str, folder: Path, terminal: Terminal) -> Path:
    """A region's config as it is on one machine, in a file of this run's. Replicas say that they are that region's."""
    config, here = files.region_config(region), folder / f"{region}.yaml"
    here.write_text(files.on_one_machine(config), encoding="utf-8")
    os.environ.setdefault("REGION", region)
    terminal.say(f"    {config}, on one machine: {here}")
    return here


def data_folder() -> Path:
    return Path(os.environ.get("DATA_DIR") or REPOSITORY / ".data").resolve()


def share_signing_secret() -> None:
    """Every replica inherits it, so that each can check what another has signed. One of ours ends with the run."""
    if not os.environ.get("SIGNING_SECRET"):
        os.environ["SIGNING_SECRET"] = secrets.token_urlsafe(32)


def share_journal(data_dir: Path) -> None:
    """The replicas of a machine share a folder, so that each can adopt what a dead one has left."""
    if not os.environ.get("JOURNAL_DIR"):
        os.environ["JOURNAL_DIR"] = str(data_dir / "journal")


def stop_on_signals(terminal: Terminal) -> None:
    """Ctrl-C, SIGTERM and a closed terminal interrupt whatever step is under way, and say so at once."""
    said: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> NoReturn:
        terminal.say("Stopping now." if said else "\nStopping. (Ctrl-C again: at once.)")
        said.append(number)
        raise KeyboardInterrupt

    for number in STOP_SIGNALS:
        signal.signal(number, interrupt)


@contextmanager
def embedded_postgres(folder: Path) -> Iterator[None]:
    """A PostgreSQL of our own, known to everybody by DATABASE_URL while the block runs."""
    from serve_app.store import embedded

    with ExitStack() as running:
        # Interrupted half-way, initdb would leave a broken folder, and pg_ctl a server without an owner.
        with uninterrupted():
            server = embedded.start(folder)
            running.callback(uninterrupted()(server.stop))
        os.environ["DATABASE_URL"] = server.url
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A stop signal waits until the block is done, for this process and for those it starts in the block.

    Blocking it keeps it from the children; another thread of ours, if there is one, may still be given it.
    """
    came: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: came.append(number)) for number in STOP_SIGNALS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(came[0])


def local_cluster(config_path: Path, port: int) -> "LocalCluster":
    from serve_app.local_cluster import LocalCluster, read_config  # not before: Ray reads its flags when imported

    return LocalCluster(read_config(config_path, port))


@contextmanager
def whole(cluster: "LocalCluster", folder: Path) -> Iterator[None]:
    """What the block starts of the cluster is stopped to the last process, also should this process be killed."""
    mark = str(folder)
    with run_processes.watchdog(mark):
        os.environ.update(run_processes.environment(mark))
        try:
            yield
        finally:
            try:
                if run_processes.names(mark) >= RAY_CORE:  # else nobody would answer
                    cluster.stop()
            finally:
                run_processes.end(mark)


def start(cluster: "LocalCluster", folder: Path, terminal: Terminal) -> None:
    """Ray and Serve, in two attempts: on a busy machine either may miss a deadline of its own."""
    dashboard = os.environ.get("DASHBOARD") or "8265"
    for attempt in (1, 2):
        try:
            with terminal.step("Ray"):
                cluster.start_ray(folder, None if dashboard == "0" else int(dashboard))
            stop_on_signals(terminal)  # Ray has put its own handler in their place
            with terminal.step("Serve and HAProxy"):
                cluster.start_serve()
        except HelloError as e:
            if attempt == 2:
                raise
            terminal.say(f"    {e.message}\n    Once more.")
            cluster.stop()
            run_processes.end(str(folder))
        else:
            return


def await_application(cluster: "LocalCluster", terminal: Terminal) -> None:
    """Until Serve calls the application RUNNING. Raises LaunchError with what it says when it fails, or hangs."""
    started = said = time.monotonic()
    while True:
        state, complaints = cluster.application()
        if state == "RUNNING":
            return
        now = time.monotonic()
        if state == "DEPLOY_FAILED" or now - started > APPLICATION_S:
            raise LaunchError(f"The application did not start.\n{listed(complaints)}")
        if now - said > STILL_WAITING_S:
            terminal.say(f"    still waiting for {', '.join(complaints)}")
            said = now
        time.sleep(POLL_S)


def await_ready(url: str) -> dict[str, str]:
    """What the server says of itself once it is ready. Raises LaunchError with its last answer if it never is."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            return readiness(url)
        except urllib.error.HTTPError as e:
            answer = f"{e.code} {e.read(500).decode(errors='replace')}"
        except (OSError, ValueError) as e:  # refused, cut, or not JSON
            answer = str(e)
        if time.monotonic() > deadline:
            raise LaunchError(f"The application runs but {url} does not get ready: {answer}")
        time.sleep(POLL_S)


def readiness(url: str) -> dict[str, str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # http_proxy is not for 127.0.0.1
    with direct.open(url, timeout=5) as response:
        parts: dict[str, str] = json.load(response)
        return parts


def model_progress(url: str, parts: dict[str, str], terminal: Terminal) -> Iterator[None]:
    """Show, each time it is asked to go on, how the download of a speech model goes, and how it ended."""
    while ON_ITS_WAY.search(said := parts.get("stt", "")):
        if bar := DOWNLOADING.search(said):
            terminal.progress(bar[1], int(bar[2]))
        yield
        try:
            parts = readiness(url)
        except (OSError, ValueError):  # a busy server; stay() tells of one that is gone
            continue
        if not ON_ITS_WAY.search(said := parts.get("stt", "")):
            terminal.say(f"  {SWITCHED_ON['stt']:<{NAME_WIDTH}}{said}")


def summary(parts: dict[str, str], url: str, seconds: float) -> str:
    """What is switched on, and where the server is."""
    lines = [f"  {name:<{NAME_WIDTH}}{parts[key]}" for key, name in SWITCHED_ON.items() if key in parts]
    socket_url = url.replace("http", "ws", 1) + "/v1/convai/conversation?agent_id=default"
    ready = f"Ready in {seconds:.0f} s: {url}/ (talk page), {socket_url}"
    return "\n".join(["", *lines, "", ready, f"Logs: {data_folder() / LOGS}", "Ctrl-C stops it."])


def stay(cluster: "LocalCluster", folder: Path, terminal: Terminal, progress: Iterator[None]) -> NoReturn:
    """Tell of changes of the application's state, and of progress. Raises LaunchError when it, or Ray, is gone."""
    known = "RUNNING"
    while True:
        time.sleep(WATCH_S)
        if missing := RAY_CORE - run_processes.names(str(folder)):
            raise LaunchError(f"Ray has died ({', '.join(sorted(missing))}).")
        state, complaints = cluster.application()
        if state == "NOT_STARTED":
            raise LaunchError("The application was removed.")
        if state != known:
            terminal.say(f"The application is {state}.\n{listed(complaints)}".rstrip())
            known = state
        next(progress, None)


def listed(complaints: dict[str, str]) -> str:
    return "\n".join(f"{name}: {message}" for name, message in complaints.items() if message)


if __name__ == "__main__":
    os._exit(main())  # Ray's own exit handlers would wait for daemons that have been ended
