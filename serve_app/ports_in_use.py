"""The TCP ports a run binds, and who must move when one is taken.

In HAProxy mode all but the dashboard's listen on every interface.
"""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from serve_app.errors import ConfigurationError

# Serve gives a gateway replica the first free port of its range, and shares ports with SO_REUSEPORT: two servers on
# one range would answer each other's calls. Eight cover the replicas of one machine and their replacements.
REPLICA_PORTS = 8


@dataclass(frozen=True, slots=True)
class Port:
    """`variable` is the environment variable that moves it."""

    number: int
    purpose: str
    variable: str


def ports_of(environment: Mapping[str, str]) -> list[Port]:
    """Every port a run with this environment binds, the one for calls first.

    Raises ConfigurationError for a value that is no port, and for two purposes on one port.
    """
    ports = [
        _port(environment, "PORT", 8000, "calls"),
        _port(environment, "RAY_SERVE_HAPROXY_STATS_PORT", 8404, "HAProxy's statistics"),
        _port(environment, "RAY_SERVE_HAPROXY_METRICS_PORT", 9101, "HAProxy's metrics"),
        _port(environment, "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", 8500, "Serve's fallback proxy"),
        *_replica_ports(environment),
    ]
    if environment.get("DASHBOARD") != "0":
        ports.append(_port(environment, "DASHBOARD", 8265, "the Ray dashboard (DASHBOARD=0 switches it off)"))
    _check_distinct(ports)
    return ports


def check_free(ports: list[Port]) -> None:
    """Raises ConfigurationError that names every port in use, its purpose and the variable that moves it."""
    busy = [port for port in ports if _in_use(port.number)]
    if busy:
        lines = [f"port {port.number}, for {port.purpose}, is in use: set {port.variable} to move it" for port in busy]
        raise ConfigurationError("\n".join(lines))


def _replica_ports(environment: Mapping[str, str]) -> list[Port]:
    first = _port(environment, "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", 30000, "gateway replicas")
    return [Port(first.number + i, first.purpose, first.variable) for i in range(REPLICA_PORTS)]


def _port(environment: Mapping[str, str], variable: str, default: int, purpose: str) -> Port:
    text = environment.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ConfigurationError(f"{variable}={text} is not a port: it wants a number from 1 to 65535")
    return Port(int(text), purpose, variable)


def _check_distinct(ports: list[Port]) -> None:
    seen: dict[int, Port] = {}
    for port in ports:
        other = seen.setdefault(port.number, port)
        if other is not port:
            raise ConfigurationError(f"{other.variable} and {port.variable} both ask for port {port.number}")


def _in_use(number: int) -> bool:
    """Whether another socket listens there. SO_REUSEADDR: connections that linger after a stop do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", number))
        except OSError as e:
            if e.errno == errno.EACCES:
                raise ConfigurationError(f"port {number} is reserved for root: choose one above 1023") from e
            if e.errno != errno.EADDRINUSE:
                raise
            return True
    return False
