"""What `forget` takes out of a Redis that several clusters share: the real one, over TLS."""

import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.redis import PASSWORD, command
from tests.cluster.test_node_scripts import KEYS, NodeDisk
from tests.cluster.tools import environment, program
from tests.loadbalancer.certificates import Authority

HOST = "127.0.0.1"


@pytest.mark.skipif(not program("redis-server"), reason="no Redis here: make region-tools")
def test_a_cluster_is_forgotten_and_the_one_beside_it_is_not(tmp_path: Path) -> None:
    node = NodeDisk(tmp_path)
    with running_redis(tmp_path) as (port, authorities):
        node.keep({**KEYS, "RAY_REDIS_ADDRESS": f"rediss://{HOST}:{port}", "RAY_REDIS_PASSWORD": PASSWORD})
        settings = node.hello / "configs" / "aws" / "node.env"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(f"{text}\nRAY_REDIS_CA_CERT={authorities}\n", encoding="utf-8")
        # As Ray calls them: RAY, the namespace, @, a table.
        kept = [f"RAYhello-sa-east-1{other}@KV" for other in ("", "-b")]
        for key in kept:
            assert asked(port, authorities, f"HSET {key} a 1") == ":1"
        done = node.run("forget", "hello-sa-east-1")
        assert done.returncode == 0, done.stderr
        assert [asked(port, authorities, f"EXISTS {key}") for key in kept] == [":0", ":1"]


@contextmanager
def running_redis(folder: Path) -> Iterator[tuple[int, Path]]:
    """Its port, and the file of the authority that its certificate is of."""
    authority = Authority(folder)
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        command(HOST, port, authority, folder),
        cwd=folder,
        env={**os.environ, **environment()},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout
        assert any("Ready to accept connections" in line for line in server.stdout)
        yield port, authority.path
    finally:
        server.kill()
        server.communicate()


def asked(port: int, authorities: Path, command: str) -> str:
    """What Redis answers to it."""
    trusting = ssl.create_default_context(cafile=str(authorities))
    with socket.create_connection((HOST, port)) as plain, trusting.wrap_socket(plain, server_hostname=HOST) as line:
        line.sendall(f"AUTH {PASSWORD}\r\n{command}\r\n".encode())
        answers = line.makefile()
        assert answers.readline() == "+OK\n"
        return answers.readline().strip()
