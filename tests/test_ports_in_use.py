import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.ports_in_use import check_free, ports_of
from tests.acceptance.server import free_ports

FIRST_FREE_FOR_ALL = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


@contextmanager
def listener(address: str = "127.0.0.1") -> Iterator[int]:
    with closing(socket.create_server((address, 0))) as server:
        yield server.getsockname()[1]


def moved_ports() -> dict[str, str]:
    variables = (
        "PORT",
        "RAY_SERVE_HAPROXY_STATS_PORT",
        "RAY_SERVE_HAPROXY_METRICS_PORT",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
        "DASHBOARD",
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT",
    )
    return dict(zip(variables, map(str, free_ports()), strict=False))


def test_free_ports_pass() -> None:
    moved = moved_ports()
    free = ports_of({**moved, "DASHBOARD": "0"})
    assert str(free[0].number) == moved["PORT"]
    check_free(free)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_busy_port_is_told_with_its_purpose_and_variable(address: str) -> None:
    with listener(address) as number:
        ports = ports_of({**moved_ports(), "RAY_SERVE_HAPROXY_METRICS_PORT": str(number)})
        with pytest.raises(ConfigurationError) as error:
            check_free(ports)
    assert f"port {number}" in error.value.message
    assert "HAProxy's metrics" in error.value.message
    assert "RAY_SERVE_HAPROXY_METRICS_PORT" in error.value.message


def test_a_listener_that_shares_its_port_is_seen() -> None:
    with closing(socket.socket()) as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("0.0.0.0", 0))
        shared.listen()
        port = ports_of({"PORT": str(shared.getsockname()[1])})[0]
        with pytest.raises(ConfigurationError, match=str(port.number)):
            check_free([port])


def test_connections_that_linger_after_a_stop_do_not_count() -> None:
    with closing(socket.socket()) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as Serve's replicas listen
        server.bind(("127.0.0.1", 0))
        server.listen()
        number = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", number))
        accepted, _ = server.accept()
        accepted.close()  # who closes first lingers
        client.close()
    with closing(socket.socket()) as probe, pytest.raises(OSError, match="in use"):
        probe.bind(("0.0.0.0", number))
    check_free([ports_of({"PORT": str(number)})[0]])


@pytest.mark.skipif(os.geteuid() == 0 or FIRST_FREE_FOR_ALL < 2, reason="this user may bind every port")
def test_a_port_reserved_for_root_is_told() -> None:
    with pytest.raises(ConfigurationError, match="reserved for root"):
        check_free([ports_of({"PORT": "1"})[0]])


def test_every_busy_port_is_named() -> None:
    with listener() as one, listener() as other:
        ports = ports_of({**moved_ports(), "PORT": str(one), "DASHBOARD": str(other)})
        with pytest.raises(ConfigurationError) as error:
            check_free([port for port in ports if port.number in (one, other)])
    assert error.value.message.count("in use") == 2


def test_the_dashboard_can_be_off() -> None:
    assert "DASHBOARD" in {port.variable for port in ports_of({})}
    assert "DASHBOARD" not in {port.variable for port in ports_of({"DASHBOARD": "0"})}


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80.5", "８０００"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="PORT="):
        ports_of({"PORT": text})


def test_two_purposes_on_one_port_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="PORT and RAY_SERVE_HAPROXY_STATS_PORT both"):
        ports_of({"PORT": "8404"})


def test_replicas_need_ports_in_a_row() -> None:
    assert ports_of({"RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "65528", "DASHBOARD": "0"})[-1].number == 65535
    with pytest.raises(ConfigurationError, match="RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT=65529 leaves no room"):
        ports_of({"RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "65529"})
