"""Pods of an image on this machine, each with its own files, processes and address: a first call, and a pod that goes.

The pods are started as KubeRay starts them: by the command that it makes of the manifest's rayStartParams and labels
(generateRayStartCommand in its controllers/ray/common/pod.go), with the environment of the manifest's ConfigMap. Only
times are shorter, and Whisper is on a CPU.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.image import Image

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / "configs"
MANIFEST = CONFIGS / "kubernetes" / "sa-east-1.yaml"
CALLER = Path(__file__).with_name("caller_inside.py")

WIRE = "hello-wire"  # the namespace of the bridge that all pods are plugged into
OUTSIDE, HEAD, FIRST, SECOND = (f"10.77.0.{number}" for number in (1, 2, 3, 4))

PERIOD_S, GRACE_S, DRAIN_S = 80, 100, 130
"""RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S, graceful_shutdown_timeout_s, RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S:
660, 690 and 720 in a region. Calls move in the last 60 s of the first, so it is longer."""


SHORTER = {
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(PERIOD_S),
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": str(DRAIN_S),
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",  # away, which is no reason not to be ready
    "WHISPER_MODEL": "",  # the bundled one
    "HOME": "/home/hello",
}


@dataclass(frozen=True)
class Container:
    """`process` is unshare, or ip before it; its only child is the container's process 1."""

    process: subprocess.Popen[bytes]

    def signal(self, number: signal.Signals) -> None:
        """To process 1, as the kubelet does it. All others end with that one."""
        if self.process.poll() is None:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
            for pid in children.split():
                os.kill(int(pid), number)

    def end(self) -> None:
        """Whatever it is doing. Killing unshare would leave its child: that is another user's."""
        self.signal(signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def main(image: Image, folder: Path) -> None:
    """`folder` gets what the pods write; it is made anew. The caller says when a pod is to start, or to stop."""
    shutil.rmtree(folder, ignore_errors=True)
    documents = {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))}
    cluster = documents["RayService"]["spec"]["rayClusterConfig"]
    head, gateway = cluster["headGroupSpec"], cluster["workerGroupSpecs"][0]
    environment = {**documents["ConfigMap"]["data"], **own_environment(gateway), **SHORTER}
    environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    with wire(), ExitStack() as running:
        started = time.monotonic()
        running.enter_context(pod("head", HEAD, image, folder, ray_start(head, None), environment))
        caller = running.enter_context(caller_in(image, folder, environment))
        gateways: dict[str, Container] = {}
        for line in iter(caller.stdout.readline, b""):
            said = json.loads(line)
            print(f"{time.monotonic() - started:6.1f} s  {said['what']}", flush=True)
            match said:
                case {"start": address}:
                    starting = pod(f"gateway-{address}", address, image, folder, ray_start(gateway, HEAD), environment)
                    gateways[address] = running.enter_context(starting)
                case {"stop": address}:
                    gateways[address].signal(signal.SIGTERM)
        if code := caller.wait():
            sys.exit(f"the caller ended with {code}: what the pods said is in {folder}")
        gateways[FIRST].process.wait(DRAIN_S)
        print(f"{time.monotonic() - started:6.1f} s  its pod has ended")


def own_environment(group: Mapping[str, Any]) -> dict[str, str]:
    """What the container of the group has besides the ConfigMap."""
    return {entry["name"]: entry["value"] for entry in group["template"]["spec"]["containers"][0]["env"]}


def ray_start(group: Mapping[str, Any], head: str | None) -> str:
    """KubeRay's command for a pod of the group; without `head` it is the head's."""
    parameters = {
        "block": "true",
        "dashboard-agent-listen-port": "52365",
        "labels": ",".join(f"{key}={value}" for key, value in sorted(group["labels"].items())),
        "metrics-export-port": "8080",
        **({"address": f"{head}:6379"} if head else {"dashboard-host": "0.0.0.0"}),
        **group["rayStartParams"],
    }
    flags = (f"--{key}" if value == "true" else f"--{key}={value}" for key, value in sorted(parameters.items()))
    return f"ulimit -n ${{RAY_START_ULIMIT_OPEN_FILES:-65536}}; ray start {'' if head else '--head '}{' '.join(flags)}"


def serve_config() -> str:
    """One replica of each, on gateway pods, Whisper without a GPU; times as above."""
    config = yaml.safe_load((CONFIGS / "local.yaml").read_text(encoding="utf-8"))
    for deployment in config["applications"][0]["deployments"]:
        deployment["ray_actor_options"] = {"num_cpus": 0.2, "label_selector": {"ray.io/node-group": "gateway"}}
        if deployment["name"] == "Gateway":
            deployment["graceful_shutdown_timeout_s"] = GRACE_S
    return yaml.safe_dump(config)


@contextmanager
def wire() -> Iterator[None]:
    """A bridge in a namespace of its own: nothing on it is reached from elsewhere, and it reaches nothing."""
    ip("netns", "add", WIRE)
    try:
        ip("-n", WIRE, "link", "add", "bridge", "type", "bridge")
        ip("-n", WIRE, "address", "add", f"{OUTSIDE}/24", "dev", "bridge")
        ip("-n", WIRE, "link", "set", "bridge", "up")
        ip("-n", WIRE, "link", "set", "lo", "up")
        yield
    finally:
        ip("netns", "del", WIRE)


@contextmanager
def pod(
    name: str, address: str, image: Image, folder: Path, command: str, environment: Mapping[str, str]
) -> Iterator[Container]:
    """A container that runs `command`, killed when the block ends. What it prints is in `folder`/NAME.txt."""
    namespace = f"hello-pod-{address.rpartition('.')[2]}"
    plug(namespace, address)
    words = image.inside(command, {**environment, "RAY_CLOUD_INSTANCE_ID": name}, folder / name)
    try:
        with (folder / f"{name}.txt").open("wb") as output:
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *words], stdout=output, stderr=subprocess.STDOUT
            )
        container = Container(process)
        try:
            yield container
        finally:
            container.end()
    finally:
        ip("netns", "del", namespace)


def plug(namespace: str, address: str) -> None:
    ip("netns", "add", namespace)
    ip("-n", WIRE, "link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    ip("-n", WIRE, "link", "set", namespace, "master", "bridge", "up")
    ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
    ip("-n", namespace, "link", "set", "lo", "up")
    ip("-n", namespace, "link", "set", "eth0", "up")
    ip("-n", namespace, "route", "add", "default", "via", OUTSIDE)  # Ray asks the kernel for its way out


@contextmanager
def caller_in(image: Image, folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The operator and a caller: they reach the pods as a load balancer does, and have the image's programs."""
    work = folder / "caller"
    words = image.inside(f"python /tmp/{CALLER.name} {HEAD} {FIRST} {SECOND}", environment, work)
    (work / "changes/tmp").mkdir(mode=0o1777)
    shutil.copy2(CALLER, work / "changes/tmp")
    (work / "changes/tmp/serve.yaml").write_text(serve_config(), encoding="utf-8")
    with subprocess.Popen(["ip", "netns", "exec", WIRE, *words], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            Container(process).end()


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
