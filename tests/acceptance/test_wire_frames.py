"""Every frame that the server sent to the official clients in this run (this file comes last) against the schemas."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from serve_app.conversation import server_messages
from tests.acceptance.tap import Tap

MESSAGES = Path(__file__).parents[2] / "../shared/protocol/messages.json"

NEVER_SENT = {
    "asr_initiation_metadata": "its content is not known, and no client reads it",
    "mcp_tool_call": "there are no MCP servers here",
    "mcp_connection_status": "there are no MCP servers here",
    "context_usage": "OpenAI-compatible servers do not tell the limit that it must name",
    "rich_content": "there is no component that the agent could show",
    "agent_typing": "it is of human agents, to whom calls are not handed",
    "external_agent_connected": "calls are not handed to human agents",
    "external_agent_disconnected": "calls are not handed to human agents",
    "client_error": "error says the same, in a shape that is known",
    "queue_status": "there is no queue: a full server closes with 1013",
    "dtmf_request": "there is no keypad on a WebSocket, and its content is not known",
}
"""Why each message of the protocol that is never sent is not."""


@pytest.fixture(scope="module")
def frames(tap: Tap) -> list[dict[str, Any]]:
    found = [message.event for connection in tap.connections for message in connection.server.messages]
    if not found:
        pytest.skip("no official client has run before this test")
    return found


def schemas() -> dict[str, dict[str, Any]]:
    if not MESSAGES.exists():
        pytest.skip("no schemas here")
    events = json.loads(MESSAGES.read_text(encoding="utf-8"))["events"]
    return {e["type"]: e["schema"] for e in events if e["direction"] == "server_to_client"}


def test_every_frame_is_as_its_schema_says(frames: list[dict[str, Any]]) -> None:
    validators = {kind: jsonschema.Draft202012Validator(schema) for kind, schema in schemas().items()}
    for frame in frames:
        validators[frame["type"]].validate(frame)


def test_every_message_was_sent_or_has_a_reason_not_to_be(frames: list[dict[str, Any]]) -> None:
    sent = {frame["type"] for frame in frames}
    assert sent == set(server_messages.SERVER_MESSAGES), "all that there is in the code, and nothing else"
    assert sent.isdisjoint(NEVER_SENT)
    assert schemas().keys() == sent | NEVER_SENT.keys()
