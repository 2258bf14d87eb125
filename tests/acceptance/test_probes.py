"""What load balancers and operators ask, of a server that is well."""

import asyncio
import json
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from serve_app.drain import is_announced
from tests.acceptance.server import OWN_PORTS, Server

FIRST_REPLICA = OWN_PORTS.index("RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT")  # from PORT


def test_live_and_ready_with_what_it_bears(server: Server) -> None:
    async def in_a_call() -> dict[str, Any]:
        async with connect(f"{server.ws_url}/v1/convai/conversation?agent_id=default") as ws:
            await ws.send(json.dumps({"type": "conversation_initiation_client_data"}))
            await ws.recv()
            return await asyncio.to_thread(asked, f"{server.url}/readyz")

    assert asked(f"{server.url}/healthz")["status"] == "ok"
    ready = asyncio.run(in_a_call())
    assert ready["status"] == "ready"
    assert ready["store"].startswith("PostgreSQL")
    assert ready["conversations_on_node"] >= 1
    assert set(ready["breakers"].values()) <= {"closed", "half_open", "open"}, "of the agents' own models"


def test_a_replica_tells_load_balancers_whether_it_is_to_go(server: Server) -> None:
    """Where `is_announced` asks. That it says so when it is: `make chaos`."""
    port = (urlsplit(server.url).port or 0) + FIRST_REPLICA
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/healthz") as response:
        assert b"success" in response.read()
    assert not asyncio.run(is_announced("127.0.0.1", port))


def asked(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url) as response:
        answer: dict[str, Any] = json.load(response)
    return answer
