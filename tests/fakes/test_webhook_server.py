"""The fake is only worth its likeness: driven over a plain socket and by an ordinary HTTP client."""

import socket
from collections.abc import Iterator

import httpx
import pytest
from starlette.responses import JSONResponse

from tests.fakes.webhook_server import FakeWebhook, Fault


@pytest.fixture(scope="module")
def server() -> Iterator[FakeWebhook]:
    with FakeWebhook() as server:
        yield server


@pytest.fixture
def fake(server: FakeWebhook) -> FakeWebhook:
    server.reset()
    return server


@pytest.fixture(scope="module")
def http(server: FakeWebhook) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=5) as http:
        yield http


def test_keeps_a_request_as_it_stood_on_the_wire(fake: FakeWebhook) -> None:
    host, port = fake.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(
            b"PUT /a%2Fb/%C3%A3?q=1%202&q=3 HTTP/1.1\r\nHost: x\r\nX-Key: k\r\nContent-Length: 7\r\n"
            b'Connection: close\r\n\r\n{"a":1}'
        )
        answer = b""
        while part := wire.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'{"ok":true}')
    [received] = fake.received
    assert (received.method, received.target) == ("PUT", "/a%2Fb/%C3%A3?q=1%202&q=3")
    assert received.headers["x-key"] == "k"
    assert received.json == {"a": 1}


def test_answers_what_it_is_told_to(fake: FakeWebhook, http: httpx.Client) -> None:
    fake.answer = lambda received: JSONResponse({"asked": received.target}, 418, {"x-a": "b"})
    answer = http.get("/tea")
    assert (answer.status_code, answer.json(), answer.headers["x-a"]) == (418, {"asked": "/tea"}, "b")
    fake.reset()
    assert http.get("/tea").json() == {"ok": True}


def test_one_connection_has_one_port(fake: FakeWebhook, http: httpx.Client) -> None:
    http.get("/1")
    http.get("/2")
    assert len({received.client_port for received in fake.received}) == 1


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_MIDWAY])
def test_a_stall_lasts_until_the_client_leaves(fake: FakeWebhook, http: httpx.Client, fault: Fault) -> None:
    fake.fault = fault
    with pytest.raises(httpx.ReadTimeout):
        http.get("/", timeout=0.1)
    assert fake.stalling.is_set()
    assert fake.disconnected.wait(5)


def test_an_early_close_cuts_the_body(fake: FakeWebhook, http: httpx.Client) -> None:
    fake.fault = Fault.EARLY_CLOSE
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/")


def test_an_endless_body_goes_on_until_the_client_leaves(fake: FakeWebhook, http: httpx.Client) -> None:
    fake.fault = Fault.ENDLESS
    with http.stream("GET", "/") as answer:
        read = 0
        for chunk in answer.iter_raw():
            read += len(chunk)
            if read > 1_000_000:
                break
    assert fake.disconnected.wait(5)
