"""The TCP ports a run binds, and who must move when one is taken.

In HAProxy mode all but the dashboard's listen on every interface.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serve_app.errors import ConfigurationError

# Serve gives a gateway replica the first free port of its range, and shares ports with SO_REUSEPORT: two servers on
# one range would answer each other's calls. Eight cover the replicas of one machine and their replacements.
REPLICA_PORTS = 8
LISTEN = "0A"  # TCP_LISTEN in Linux' include/net/tcp_states.h


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
    taken = _listening()
    problems = [
        f"port {port.number}, for {port.purpose}, is {why}: set {port.variable} to move it"
        for port in ports
        if (why := "in use" if port.number in taken else _refusal(port.number))
    ]
    if problems:
        raise ConfigurationError("\n".join(problems))


def _replica_ports(environment: Mapping[str, str]) -> list[Port]:
    first = _port(environment, "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", 30000, "gateway replicas")
    if first.number + REPLICA_PORTS > 65536:
        raise ConfigurationError(
            f"{first.variable}={first.number} leaves no room: it wants {REPLICA_PORTS} ports in a row, up to 65535"
        )
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


def _listening() -> set[int]:
    """Ports somebody listens on, by the kernel's tables. Trying to bind would not do: connections that linger for a
    minute after a server of ours has stopped forbid it, and yet do not stop the next server.
    """
    tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    return {int(local.rpartition(":")[2], 16) for _, local, _, state, *_ in rows if state == LISTEN}


def _refusal(number: int) -> str:
    """Why the system keeps this port from us; empty when it does not."""
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", number))
        except PermissionError:
            return "reserved for root"
        except OSError:
            pass  # lingering connections
    return ""
