import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from serve_app.api.cors import cors

PAGE = "https://app.example"


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def converse(ws: WebSocket) -> None:
    await ws.accept()
    await ws.close(1000, "bye")


def client(*origins: str) -> TestClient:
    routes = [Route("/", hello, methods=["GET", "POST"]), WebSocketRoute("/ws", converse)]
    return TestClient(Starlette(routes=routes, middleware=[cors(origins)]))


@pytest.mark.parametrize(("origins", "told"), [(["*"], "*"), ([PAGE, "https://b.example"], PAGE)])
def test_a_page_may_read(origins: list[str], told: str) -> None:
    answer = client(*origins).get("/", headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == told
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_it_may_send_the_headers_that_clients_send(method: str) -> None:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type, xi-api-key"}
    answer = client(PAGE).options("/", headers={"Origin": PAGE, **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert method in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type, xi-api-key"
    assert "access-control-allow-credentials" not in answer.headers


def test_another_page_may_not() -> None:
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert "access-control-allow-origin" not in client(PAGE).get("/", headers=elsewhere).headers
    preflight = client(PAGE).options("/", headers={**elsewhere, "Access-Control-Request-Method": "GET"})
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers


def test_websockets_are_not_its_business() -> None:
    with client(PAGE).websocket_connect("/ws", headers={"Origin": "https://elsewhere.example"}) as ws:
        assert ws.receive() == {"type": "websocket.close", "code": 1000, "reason": "bye"}
