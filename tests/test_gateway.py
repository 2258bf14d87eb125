"""The gateway's own doings, without Ray: admission, refusals, pages, probes. Real calls are in tests/acceptance."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from serve_app.access import Access
from serve_app.admission import AGENT_FULL, BUSY, Reception
from serve_app.api.cors import cors
from serve_app.api_keys import ApiKeys
from serve_app.caretaker import Caretaker
from serve_app.conversation.agent import Agent, CallLimits, ConversationConfig, Persona, PlatformSettings
from serve_app.drain import Drain
from serve_app.errors import ConfigurationError, HelloError, TranscriptionError
from serve_app.gateway import ClientSocket, Composition, Gateway
from serve_app.handshakes import TIMES
from serve_app.parts import Parts
from serve_app.places import Places
from serve_app.signatures import Signatures
from serve_app.strain import Strain
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
def places(tmp_path: Path) -> Iterator[Places]:
    """Of the node."""
    places = Places(tmp_path / "places")
    yield places
    places.close()


@pytest.fixture
def refused() -> list[HelloError]:
    """What the gateway has told of callers who were turned away."""
    return []


@pytest.fixture
def gateway(places: Places, refused: list[HelloError]) -> Any:
    made = PlainGateway(compose, places=places, refused=refused.append)
    made.reconfigure({"max_conversations": 2})
    return made


@pytest.fixture
def client(gateway: Any) -> Iterator[TestClient]:
    with TestClient(gateway.__serve_build_asgi_app__()) as running:
        running.app_state["gateway"] = gateway
        yield running


def compose(
    caretaker: Caretaker, places: Places, refused: Callable[[HelloError], None] = lambda error: None
) -> Composition:
    @asynccontextmanager
    async def running(superseded: Callable[[str], None]) -> AsyncIterator[None]:
        yield

    async def describe() -> dict[str, str]:
        return {"stt": "fake"}

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
    reception = Reception(places, Strain())
    middleware, tune = [cors(["*"])], lambda limits: None
    return Composition(
        agents, access, parts, [], middleware, running, describe, tune, reception, refused, lambda: False
    )


async def stored(conversation_id: str) -> None:
    return None


def until(condition: Callable[[], bool]) -> None:
    """A session ends in its own time. Each look at the server gives its loop some."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline


def test_the_subprotocol_is_answered_only_when_asked_for(client: TestClient) -> None:
    with client.websocket_connect(CONVERSATION, subprotocols=["bearer.secret", "convai"]) as ws:
        assert ws.accepted_subprotocol == "convai"
    with client.websocket_connect(CONVERSATION) as ws:
        assert ws.accepted_subprotocol is None


def test_beyond_the_limit_callers_are_told_to_try_again(client: TestClient, refused: list[HelloError]) -> None:
    with client.websocket_connect(CONVERSATION), client.websocket_connect(CONVERSATION):
        with client.websocket_connect(CONVERSATION) as third, pytest.raises(WebSocketDisconnect) as refusal:
            third.receive_json()
        assert refusal.value.code == 1013
        assert "try again" in refusal.value.reason
    assert [str(error) for error in refused] == [refusal.value.reason]


def test_a_place_is_free_again_when_its_call_is_over(client: TestClient) -> None:
    for _ in range(5):
        with client.websocket_connect(CONVERSATION) as ws:
            ws.send_json({"type": "conversation_initiation_client_data"})
            assert ws.receive_json()["type"] == "conversation_initiation_metadata"
    until(lambda: client.get("/readyz").json()["conversations_on_node"] == 0)


def test_who_is_turned_away_at_the_door_has_no_place(client: TestClient) -> None:
    for _ in range(3):
        with client.websocket_connect("/v1/convai/conversation?agent_id=nobody") as ws:
            with pytest.raises(WebSocketDisconnect) as refusal:
                ws.receive_json()
            assert refusal.value.code == 1008
    assert client.get("/readyz").json()["conversations_on_node"] == 0


def test_where_haproxy_asks_again_it_is_left_to_other_gateways_first(
    places: Places, monkeypatch: pytest.MonkeyPatch, refused: list[HelloError]
) -> None:
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    monkeypatch.setenv("RAY_SERVE_HAPROXY_RETRY_ON", "conn-failure 425")
    gateway = PlainGateway(compose, places=places, refused=refused.append)
    gateway.reconfigure({"max_conversations": 1})
    with TestClient(gateway.__serve_build_asgi_app__()) as client, client.websocket_connect(CONVERSATION):
        for _ in range(TIMES):  # the test client's handshakes have one key
            with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect(CONVERSATION):
                pass
            assert denial.value.status_code == 425
        assert refused == []
        with client.websocket_connect(CONVERSATION) as last, pytest.raises(WebSocketDisconnect) as refusal:
            last.receive_json()
        assert (refusal.value.code, refusal.value.reason) == (1013, BUSY)


def test_an_agent_s_own_limit(gateway: Any) -> None:
    limits = PlatformSettings(call_limits=CallLimits(agent_concurrency_limit=1))
    gateway._made.agents["test"] = msgspec.structs.replace(AGENT, platform_settings=limits)
    with TestClient(gateway.__serve_build_asgi_app__()) as client, client.websocket_connect(CONVERSATION):
        with client.websocket_connect(CONVERSATION) as second, pytest.raises(WebSocketDisconnect) as refusal:
            second.receive_json()
        assert (refusal.value.code, refusal.value.reason) == (1013, AGENT_FULL)


def test_a_refusal_for_want_of_room_uses_no_url_up(places: Places) -> None:
    signatures = Signatures("0123456789abcdef0123456789abcdef")
    gateway = PlainGateway(compose, places=places)
    gateway.reconfigure({"max_conversations": 1})
    gateway._made = gateway._made._replace(access=Access({"test": AGENT}, ApiKeys(), signatures, stored))
    url = f"{CONVERSATION}&conversation_signature={signatures.sign('test', 'conv_1')}"
    with TestClient(gateway.__serve_build_asgi_app__()) as client:
        with client.websocket_connect(CONVERSATION):
            with client.websocket_connect(url) as full, pytest.raises(WebSocketDisconnect) as refusal:
                full.receive_json()
            assert refusal.value.code == 1013
        until(lambda: client.get("/readyz").json()["conversations"] == 0)
        with client.websocket_connect(url) as ws:
            ws.send_json({"type": "conversation_initiation_client_data"})
            metadata = ws.receive_json()["conversation_initiation_metadata_event"]
    assert metadata["conversation_id"] == "conv_1"


def test_a_replica_that_is_to_go_says_so_and_takes_no_calls(gateway: Any, client: TestClient) -> None:
    gateway._caretaker.drain = Drain(0.0)
    with client.websocket_connect(CONVERSATION) as late, pytest.raises(WebSocketDisconnect) as refusal:
        late.receive_json()
    assert refusal.value.code == 1012
    probe = client.get("/readyz")
    assert (probe.status_code, probe.json()["status"]) == (503, "draining")
    assert client.get("/healthz").status_code == 200


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


def test_a_bad_configuration_is_fatal_at_the_start_and_refused_later(gateway: Any, places: Places) -> None:
    with pytest.raises(ConfigurationError, match="max_conversation"):
        PlainGateway(compose, places=places).reconfigure({"max_conversation": 5})
    gateway.reconfigure({"max_conversations": "many"})
    assert gateway._limits.max_conversations == 2


def test_ready_names_the_parts(client: TestClient) -> None:
    response = client.get("/readyz")
    load = {"conversations": 0, "conversations_on_node": 0, "strained": False}
    assert (response.status_code, response.json()) == (200, {"status": "ready", "stt": "fake", **load})


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


# ---- clients that come back

INITIATION = {"type": "conversation_initiation_client_data"}


def metadata(ws: Any) -> dict[str, Any]:
    ws.send_json(INITIATION)
    return ws.receive_json()["conversation_initiation_metadata_event"]


def way_back(told: dict[str, Any], token: str | None = None) -> str:
    token = token or told["resume"]["token"]
    return f"/v1/convai/conversation?conversation_id={told['conversation_id']}&resume_token={token}&last_event_id=0"


def refusal(client: TestClient, url: str) -> tuple[int, str]:
    with client.websocket_connect(url) as ws, pytest.raises(WebSocketDisconnect) as refused:
        ws.receive_json()
    return refused.value.code, refused.value.reason


def test_a_ticket_is_for_those_who_ask(client: TestClient) -> None:
    with client.websocket_connect(CONVERSATION) as ws:
        assert "resume" not in metadata(ws)
    with client.websocket_connect(f"{CONVERSATION}&resume=1") as ws:
        assert metadata(ws)["resume"]["expires_in_secs"] > 3600


def test_back_on_the_same_replica(client: TestClient) -> None:
    with client.websocket_connect(f"{CONVERSATION}&resume=1") as ws:
        told = metadata(ws)
        with client.websocket_connect(way_back(told)) as again:
            resumed = again.receive_json()["conversation_initiation_metadata_event"]
            assert resumed["conversation_id"] == told["conversation_id"]
            assert resumed["resume"]["resumed"] is True
            with pytest.raises(WebSocketDisconnect) as closed:
                ws.receive_json()
            assert closed.value.code == 4001
            assert client.get("/healthz").json()["conversations"] == 1


def test_back_on_another_replica(client: TestClient, places: Places) -> None:
    other = PlainGateway(compose, places=places)
    with TestClient(other.__serve_build_asgi_app__()) as elsewhere:
        other._made = other._made._replace(parts=client.app_state["gateway"]._made.parts)
        with client.websocket_connect(f"{CONVERSATION}&resume=1") as ws:
            told = metadata(ws)
            with elsewhere.websocket_connect(way_back(told)) as again:
                assert again.receive_json()["conversation_initiation_metadata_event"]["resume"]["resumed"] is True
                client.app_state["gateway"]._superseded(told["conversation_id"])
                with pytest.raises(WebSocketDisconnect) as closed:
                    ws.receive_json()
                assert closed.value.code == 4001


def test_who_only_knows_the_conversations_id_stays_outside(client: TestClient) -> None:
    with client.websocket_connect(f"{CONVERSATION}&resume=1") as ws:
        told = metadata(ws)
        code, reason = refusal(client, way_back(told, token="guess"))
        assert (code, reason) == (1008, "the resume_token is not this conversation's")
        ws.send_json({"type": "user_activity"})  # nobody has noticed
        assert client.get("/healthz").json()["conversations"] == 1


def test_a_conversation_that_asked_for_no_ticket_has_none(client: TestClient) -> None:
    with client.websocket_connect(CONVERSATION) as ws:
        told = metadata(ws)
        assert refusal(client, way_back(told, token="guess"))[0] == 1008


def test_a_conversation_that_is_over_is_over(client: TestClient) -> None:
    with client.websocket_connect(f"{CONVERSATION}&resume=1") as ws:
        told = metadata(ws)
        ws.close(1000)
    until(lambda: client.get("/healthz").json()["conversations"] == 0)
    assert refusal(client, way_back(told)) == (1008, "the conversation is over")


# ---- what the autoscaling policy learns


def told(gateway: Any) -> dict[str, float]:
    return asyncio.run(gateway.record_autoscaling_stats())


def test_it_tells_its_conversations_and_what_the_region_wishes(client: TestClient, gateway: Any) -> None:
    assert (told(gateway)["work"], told(gateway)["strained"], told(gateway)["floor_Gateway"]) == (0, 0, 0)
    always = {"replicas": {"Gateway": 2}}
    gateway.reconfigure({"max_conversations": 2, "scaling": {"spare_places": 5, "schedule": [always]}})
    with client.websocket_connect(CONVERSATION) as ws:
        ws.send_json({"type": "conversation_initiation_client_data"})
        ws.receive_json()
        assert told(gateway)["work"] == 1
    assert (told(gateway)["spare_places"], told(gateway)["floor_Gateway"]) == (5, 2)


def test_wishes_that_are_wrong_are_refused_and_the_old_ones_kept(
    gateway: Any, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.reconfigure({"scaling": {"spare_places": 5}})
    gateway.reconfigure({"scaling": {"timezone": "Brasil"}})
    assert "Gateway keeps its old user_config" in caplog.text
    assert "there is no timezone 'Brasil'" in caplog.text
    assert told(gateway)["spare_places"] == 5


def test_that_the_recogniser_fails_is_told_as_a_wish(places: Places) -> None:
    made = PlainGateway(lambda caretaker: compose(caretaker, places)._replace(stt_fails=lambda: True))
    made.reconfigure({"scaling": {"while_stt_fails": {"LocalWhisper": 1}}})
    assert told(made)["floor_LocalWhisper"] == 1
