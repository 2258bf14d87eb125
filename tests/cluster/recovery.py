"""`make recovery`: what callers notice when the head of a region dies and comes back.

In the region of region.py, whose head keeps its state in Redis: first its GCS is killed, and systemd starts the head
anew; then all of the head at once, as when its instance is lost, and it is away for longer than Ray's own patience.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.cluster.region import BIN, Region, running_region
from tests.cluster.template import REPOSITORY
from tests.cluster.tools import missing

BEFORE_S = 15.0
AFTER_S = 60.0
AWAY_S = 100.0
"""Ray's default patience with a head that is away is 60 s."""


def main() -> int:
    if reason := missing():
        print(f"Nothing was measured: {reason}")
        return 1
    with running_region() as region, calls(region) as told:
        time.sleep(BEFORE_S)
        report("before", region, told, BEFORE_S)
        for pid in processes(region, "head", "gcs_server"):
            os.kill(pid, signal.SIGKILL)
        back = seconds_until_asked(region)
        time.sleep(AFTER_S)
        report(f"the GCS killed, the head back after {back:.0f} s", region, told, back + AFTER_S)
        region.kill("head")
        time.sleep(AWAY_S)
        report(f"no head for {AWAY_S:.0f} s", region, told, AWAY_S)
        region.start("head")
        back = seconds_until_asked(region)
        time.sleep(AFTER_S)
        report(f"the head started, and asked again after {back:.0f} s", region, told, back + AFTER_S)
    return 0


@contextmanager
def calls(region: Region) -> Iterator[IO[str]]:
    """What callers tell, line by line; they call from where the load balancer is."""
    path = region.folder / "callers"
    url = f"http://{region.network.addresses['gateway']}:8000"
    with path.open("w") as out, path.open() as told:
        callers = subprocess.Popen(
            region.network.inside("balancer", [sys.executable, "-m", "tests.cluster.callers", url]),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
            stdout=out,
        )
        try:
            yield told
        finally:
            callers.kill()
            callers.wait()


def report(phase: str, region: Region, told: IO[str], seconds: float) -> None:
    """What has been told since the last report, and the gateway node's replicas."""
    events: list[dict[str, Any]] = [json.loads(line) for line in told]
    happened = Counter(event["what"] for event in events)
    slowest = max((event["seconds"] for event in events if event["what"] == "newcomer answered"), default=0.0)
    replicas = processes(region, "gateway", "ray::ServeRepli")
    print(f"{phase} ({seconds:.0f} s)")
    print(
        f"  {happened['turn']} turns, {happened['answer']} answers, {happened['break']} breaks, "
        f"{happened['over']} calls over"
    )
    print(
        f"  newcomers: {happened['newcomer answered']} answered, the slowest after {1000 * slowest:.0f} ms, "
        f"{happened['newcomer lost']} lost"
    )
    print(f"  replicas: {', '.join(map(str, sorted(replicas)))}", flush=True)


def seconds_until_asked(region: Region) -> float:
    """Until `serve status` answers that the application runs."""
    started = time.monotonic()
    while "status: RUNNING" not in _status(region):
        assert time.monotonic() - started < AFTER_S, region.log("head")[-2000:]
        time.sleep(1)
    return time.monotonic() - started


def _status(region: Region) -> str:
    command = region.network.inside("head", [str(BIN / "serve"), "status"])
    return subprocess.run(command, env=region.environment("head"), capture_output=True, text=True, check=False).stdout


def processes(region: Region, node: str, name: str) -> list[int]:
    """Of that name, as the kernel knows it (15 characters)."""
    return [pid for pid in region.pids(node) if _name(pid) == name]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""  # gone


if __name__ == "__main__":
    sys.exit(main())
