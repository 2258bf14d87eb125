import socket
from collections.abc import Iterator

import pytest

from tests.fakes.held_port import HOST, HeldPort


@pytest.fixture
def port() -> Iterator[HeldPort]:
    port = HeldPort()
    yield port
    port.close()


def answers(port: HeldPort) -> bool:
    try:
        socket.create_connection((HOST, port.number), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_who_listens_is_reached_and_nobody_else(port: HeldPort) -> None:
    assert not answers(port)
    with port.listen():
        assert answers(port)
    assert not answers(port)


def test_nobody_else_gets_it_meanwhile(port: HeldPort) -> None:
    with pytest.raises(OSError, match="in use"):
        socket.create_server((HOST, port.number))


def test_its_owner_listens_again(port: HeldPort) -> None:
    port.listen().close()
    with port.listen():
        assert answers(port)


def test_given_back_it_is_anybodys(port: HeldPort) -> None:
    port.close()
    with socket.create_server((HOST, port.number)):
        assert answers(port)
