"""A real Prometheus on a loopback port, with the shipped configuration."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.observability.dashboards.boards import CONFIGS
from tests.observability.programs import ABSENT, program

STARTS_WITHIN_S = 20.0
STOPS_WITHIN_S = 20.0
Labels = tuple[str, ...]


class Prometheus:
    def __init__(self, url: str) -> None:
        self._url = url

    def sums(self, metric: str, labels: Labels) -> dict[Labels, float]:
        """Of all replicas, by these labels."""
        found = self._ask("query", query=f"sum by ({', '.join(labels)}) ({metric})")
        return {tuple(each["metric"][name] for name in labels): float(each["value"][1]) for each in found}

    def series(self, expression: str, begin: float, end: float, step_s: float) -> list[dict[str, Any]]:
        """`metric`, and `values`: pairs of Unix seconds and a number as text."""
        return self._ask("query_range", query=expression, start=str(begin), end=str(end), step=str(step_s))

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def _ask(self, what: str, **arguments: str) -> list[dict[str, Any]]:
        asked = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(asked, timeout=30) as response:
                result: list[dict[str, Any]] = json.load(response)["data"]["result"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{arguments['query']}: {e.read().decode()}") from e
        return result


@contextmanager
def running_prometheus(folder: Path, discovered: Path, haproxy_port: int) -> Iterator[Prometheus]:
    """`discovered`: the file in which Ray has written down its nodes."""
    prometheus = program("prometheus")
    assert prometheus, f"prometheus: {ABSENT}"
    address = f"127.0.0.1:{free_port()}"
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(_config(discovered, haproxy_port)), encoding="utf-8")
    command = [prometheus, f"--config.file={config}", f"--storage.tsdb.path={folder / 'series'}"]
    command += [f"--web.listen-address={address}", "--log.level=warn"]
    with (folder / "prometheus.txt").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            asked = Prometheus(f"http://{address}")
            deadline = time.monotonic() + STARTS_WITHIN_S
            while not asked.is_ready():
                alive = process.poll() is None and time.monotonic() < deadline
                assert alive, (folder / "prometheus.txt").read_text()
                time.sleep(0.1)
            yield asked
        finally:
            process.terminate()
            process.wait(STOPS_WITHIN_S)


def _config(discovered: Path, haproxy_port: int) -> Mapping[str, Any]:
    """The shipped one, for a server whose files and ports are its own."""
    config: dict[str, Any] = yaml.safe_load((CONFIGS / "prometheus.yml").read_text(encoding="utf-8"))
    config["rule_files"] = [str(CONFIGS / "alerts.yml")]
    for job in config["scrape_configs"]:
        job["file_sd_configs"] = [{"files": [str(discovered)], "refresh_interval": "5s"}]
        for rule in job.get("relabel_configs", ()):
            rule["replacement"] = rule["replacement"].replace("9101", str(haproxy_port))
    return config


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
