"""Redis as a region has it: over TLS, with a password, at an address of the region's network."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.network import Network
from tests.cluster.tools import environment, program
from tests.loadbalancer.certificates import Authority

PASSWORD = "password-of-redis"
PORT = 6379


@dataclass(frozen=True)
class Redis:
    """`authorities`: the file of those whose certificates are to be trusted."""

    url: str
    authorities: Path


def command(address: str, port: int, authority: Authority, folder: Path) -> list[str]:
    """Redis over TLS at that address; its certificate, of `authority`, is put into `folder`. It is to run there."""
    certificate = authority.issue(address)
    for name, pem in {"chain.pem": certificate.chain, "key.pem": certificate.key}.items():
        (folder / name).write_bytes(pem)
    options = {
        "bind": address,
        "port": "0",
        "tls-port": str(port),
        "tls-auth-clients": "no",
        "tls-cert-file": "chain.pem",
        "tls-key-file": "key.pem",
        "tls-ca-cert-file": str(authority.path),
        "requirepass": PASSWORD,
        "save": "",
        "dir": str(folder),
    }
    return [program("redis-server"), *(word for name, value in options.items() for word in (f"--{name}", value))]


@contextmanager
def running_redis(network: Network, folder: Path) -> Iterator[Redis]:
    """It is the network's member `redis`. Nothing of it is kept."""
    folder.mkdir()
    address = network.addresses["redis"]
    authority = Authority(folder)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            network.inside("redis", command(address, PORT, authority, folder)),
            cwd=folder,
            env={**os.environ, **environment()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Redis(f"rediss://{address}:{PORT}", authority.path)
    finally:
        server.kill()
        server.wait()
