"""The gateway's own doings, without Ray: admission, refusals, pages, probes. Real calls are in tests/acceptance."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from serve_app.access import Access
from serve_app.api.cors import cors
from serve_app.api_keys import ApiKeys
from serve_app.conversation.agent import Agent, ConversationConfig, Persona
from serve_app.errors import ConfigurationError, TranscriptionError
from serve_app.gateway import ClientSocket, Composition, Gateway
from serve_app.session import Parts
from tests.fakes.ports import (
    MemoryLog,
    ScriptedJudge,
    ScriptedModel,
    ScriptedSpeaker,
    ScriptedTranscriber,
    ScriptedWebhooks,
)
from tests.virtual_time import run

PlainGateway: Any = Gateway.func_or_class.__mro__[1]  # as it was written, before Serve wrapped it
AGENT = Agent("Test", ConversationConfig(Persona(first_message="")))
CONVERSATION = "/v1/convai/conversation?agent_id=test"


@pytest.fixture
def gateway() -> Any:
    made = PlainGateway(compose)
    made.reconfigure({"max_conversations": 2})
    return made


@pytest.fixture
def client(gateway: Any) -> Iterator[TestClient]:
    with TestClient(gateway.__serve_build_asgi_app__()) as running:
        yield running


def compose() -> Composition:
    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        yield

    async def describe() -> dict[str, str]:
        return {"stt": "fake"}

    async def stored(conversation_id: str) -> None:
        return None

    parts = Parts(
        ScriptedTranscriber(),
        ScriptedSpeaker(),
        ScriptedModel(),
        ScriptedWebhooks(),
        ScriptedJudge(),
        MemoryLog(),
        lambda seconds: None,
    )
    agents = {"test": AGENT}
    access = Access(agents, ApiKeys(), None, stored)
    return Composition(agents, access, parts, [], [cors(["*"])], running, describe, lambda limits: None)


def test_the_subprotocol_is_answered_only_when_asked_for(client: TestClient) -> None:
    with client.websocket_connect(CONVERSATION, subprotocols=["bearer.secret", "convai"]) as ws:
        assert ws.accepted_subprotocol == "convai"
    with client.websocket_connect(CONVERSATION) as ws:
        assert ws.accepted_subprotocol is None


def test_beyond_the_limit_callers_are_told_to_try_again(client: TestClient) -> None:
    with client.websocket_connect(CONVERSATION), client.websocket_connect(CONVERSATION):
        with client.websocket_connect(CONVERSATION) as third, pytest.raises(WebSocketDisconnect) as refusal:
            third.receive_json()
        assert refusal.value.code == 1013
        assert "try again" in refusal.value.reason


def test_a_client_that_takes_nothing_keeps_no_place_when_its_call_is_over(gateway: Any) -> None:
    """Nor does it close: its handler would wait for ever, and Serve has but so many."""
    app = gateway.__serve_build_asgi_app__()
    path, _, query = CONVERSATION.partition("?")
    scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": [], "subprotocols": []}

    async def scenario() -> None:
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        sent.put_nowait({"type": "websocket.connect"})
        sent.put_nowait({"type": "websocket.receive", "text": '{"type": "conversation_initiation_client_data"}'})

        async def send(message: dict[str, Any]) -> None:
            if message["type"] != "websocket.accept":
                await asyncio.Event().wait()

        async with asyncio.timeout(120):
            await app(scope, sent.get, send)
        assert gateway._sessions == {}

    run(scenario())


def test_a_reason_too_long_for_a_close_frame_is_cut_between_letters() -> None:
    closed: list[dict[str, Any]] = []

    async def scenario() -> None:
        async def send(message: dict[str, Any]) -> None:
            closed.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        ws = WebSocket({"type": "websocket"}, receive, send)
        await ws.accept()
        await ClientSocket(ws).close(1008, "é" * 100)
        with pytest.raises(OSError, match="gone"):
            await ClientSocket(ws).send_text("too late")

    asyncio.run(scenario())
    assert closed[-1] == {"type": "websocket.close", "code": 1008, "reason": "é" * 60}


def test_a_bad_configuration_is_fatal_at_the_start_and_refused_later(gateway: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_conversation"):
        PlainGateway(compose).reconfigure({"max_conversation": 5})
    gateway.reconfigure({"max_conversations": "many"})
    assert gateway._limits.max_conversations == 2


def test_ready_names_the_parts(client: TestClient) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "stt": "fake"})


def test_not_ready_while_a_part_cannot_answer(gateway: Any) -> None:
    async def describe() -> dict[str, str]:
        raise TranscriptionError("still loading")

    gateway._made = gateway._made._replace(describe=describe)
    with TestClient(gateway.__serve_build_asgi_app__()) as client:
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["message"] == "still loading"


def test_the_talk_page_and_its_files(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/web/talk.js").status_code == 200
    assert client.get("/web/nothing.js").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status_code", "status"),
    [
        ("GET", "/v1/convai/agents", 404, "not_found"),
        ("DELETE", "/v1/convai/phone-numbers/p1", 404, "not_found"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_served_is_told_as_elevenlabs_tells_it(
    client: TestClient, method: str, path: str, status_code: int, status: str
) -> None:
    answer = client.request(method, path, headers={"origin": "https://app.example.com"})
    message = f"{method} {path} is not served here."
    assert (answer.status_code, answer.json()) == (status_code, {"detail": {"status": status, "message": message}})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert ("allow" in answer.headers) == (status_code == 405)


def test_pages_of_other_origins_may_ask(client: TestClient) -> None:
    assert client.get("/healthz", headers={"origin": "https://app.example.com"}).headers["access-control-allow-origin"]


def test_how_often_to_ping_is_tuned_without_a_restart(gateway: Any) -> None:
    gateway.reconfigure({"ping_every_s": 4})
    assert gateway._limits.ping_every_s == 4
    gateway.reconfigure({"ping_every_s": 0.1})
    assert gateway._limits.ping_every_s == 4
