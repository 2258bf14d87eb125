"""How many REST requests a key may make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from serve_app.api.request_rate import KeyRates, RequestRate
from serve_app.api_keys import ApiKeys

ANA, BIA = {"xi-api-key": "ana"}, {"authorization": "Bearer bia"}


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def converse(ws: WebSocket) -> None:
    await ws.accept()
    await ws.close(1000, "bye")


@pytest.fixture
def rates() -> KeyRates:
    return KeyRates(ApiKeys(["ana", "bia"]))


@pytest.fixture
def client(rates: KeyRates) -> TestClient:
    routes = [Route("/", hello), WebSocketRoute("/ws", converse)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(RequestRate, rates)]))


def test_beyond_it_a_key_is_told_to_wait_and_how_long(client: TestClient, rates: KeyRates) -> None:
    rates.limit(2)
    assert [client.get("/", headers=ANA).status_code for _ in range(3)] == [200, 200, 429]
    answer = client.get("/", headers=ANA)
    assert answer.headers["retry-after"] == "30"
    assert answer.json()["detail"]["status"] == "rate_limit_exceeded"
    assert client.get("/", headers=BIA).text == "hello"


def test_only_the_servers_own_keys_are_counted(client: TestClient, rates: KeyRates) -> None:
    rates.limit(1)
    for headers in ({}, {"xi-api-key": "wrong"}) * 3:
        assert client.get("/", headers=headers).status_code == 200


def test_calls_are_not_its_business(client: TestClient, rates: KeyRates) -> None:
    rates.limit(1)
    for _ in range(3):
        with client.websocket_connect("/ws", headers=ANA) as ws:
            assert ws.receive() == {"type": "websocket.close", "code": 1000, "reason": "bye"}


def test_without_a_limit_there_is_none_and_a_new_one_counts_anew(client: TestClient, rates: KeyRates) -> None:
    assert {client.get("/", headers=ANA).status_code for _ in range(50)} == {200}
    rates.limit(1)
    assert [client.get("/", headers=ANA).status_code for _ in range(2)] == [200, 429]
    rates.limit(None)
    assert client.get("/", headers=ANA).status_code == 200


@given(st.integers(1, 10_000))
def test_who_waits_as_long_as_told_is_answered(a_minute: int) -> None:
    rates = KeyRates(ApiKeys(["ana"]))
    rates.limit(a_minute)
    for _ in range(a_minute):
        assert rates.wait_s(ANA, 0.0) == 0
    wait_s = rates.wait_s(ANA, 0.0)
    assert wait_s >= 1
    assert rates.wait_s(ANA, float(wait_s)) == 0
