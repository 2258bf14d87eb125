"""What of the gateway's user_config is a rate, and who is refused by it."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from serve_app.conversation.quota import TOO_OFTEN
from serve_app.places import Places
from tests.test_gateway import CONVERSATION, PlainGateway, compose, places

__all__ = ["places"]
INITIATION = {"type": "conversation_initiation_client_data"}
TYPED = {"type": "user_message", "text": "hi"}


def client(places: Places, **rates: Any) -> TestClient:
    gateway = PlainGateway(compose, places=places)
    gateway.reconfigure(rates)
    return TestClient(gateway.__serve_build_asgi_app__())


def closed(ws: Any) -> WebSocketDisconnect:
    with pytest.raises(WebSocketDisconnect) as refusal:
        until(ws, "no such message")
    return refusal.value


def until(ws: Any, kind: str) -> None:
    while ws.receive_json()["type"] != kind:
        pass


def test_a_tenant_begins_so_many_conversations_a_minute(places: Places) -> None:
    with client(places, a_minute_per_tenant={"conversations": 2}) as caller:
        for _ in range(2):
            with caller.websocket_connect(CONVERSATION) as ws:
                ws.send_json(INITIATION)
                assert ws.receive_json()["type"] == "conversation_initiation_metadata"
        with caller.websocket_connect(CONVERSATION) as third:
            refusal = closed(third)
    assert (refusal.code, refusal.reason) == (1013, TOO_OFTEN)


def test_who_finds_no_room_has_begun_nothing(places: Places) -> None:
    with client(places, max_conversations=1, a_minute_per_tenant={"conversations": 2}) as caller:
        with caller.websocket_connect(CONVERSATION):
            for _ in range(3):
                with caller.websocket_connect(CONVERSATION) as full:
                    assert "busy" in closed(full).reason
        with caller.websocket_connect(CONVERSATION) as second:
            second.send_json(INITIATION)
            assert second.receive_json()["type"] == "conversation_initiation_metadata"


@pytest.mark.parametrize("whose", ["a_minute_per_tenant", "a_minute_per_conversation"])
def test_what_its_conversations_send_is_counted(places: Places, whose: str) -> None:
    with client(places, **{whose: {"messages": 3}}) as caller, caller.websocket_connect(CONVERSATION) as ws:
        for message in (INITIATION, TYPED, TYPED, TYPED):
            ws.send_json(message)
        refusal = closed(ws)
    assert refusal.code == 1008
    assert refusal.reason.startswith("too many messages: 3 a minute")


def a_typed_turn(caller: TestClient) -> None:
    with caller.websocket_connect(CONVERSATION) as ws:
        ws.send_json(INITIATION)
        ws.send_json(TYPED)
        until(ws, "agent_response")


def test_conversations_of_a_tenant_share_its_rate(places: Places) -> None:
    with client(places, a_minute_per_tenant={"messages": 4}) as caller:
        a_typed_turn(caller)
        a_typed_turn(caller)
        with caller.websocket_connect(CONVERSATION) as third:
            third.send_json(INITIATION)
            assert closed(third).code == 1008


def test_each_conversation_has_its_own(places: Places) -> None:
    with client(places, a_minute_per_conversation={"messages": 2}) as caller:
        for _ in range(3):
            a_typed_turn(caller)  # fails if it is closed first
        assert caller.get("/healthz").status_code == 200
