"""Tools for the agents of scores, and models that use them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from serve_app.conversation.agent import Agent, Prompt
from serve_app.conversation.client_messages import ClientToolResult
from serve_app.conversation.dialogue import Message
from serve_app.conversation.server_messages import AgentToolResponse
from serve_app.conversation.tools import BuiltInTools, ClientTool, SystemTool, ToolCall, WebhookTool
from tests.conversation.score import EVENTS, Call, Piece, agent

TOOL_EVENTS = (*EVENTS, "client_tool_call", "agent_tool_request", "agent_tool_response")


def client(name: str = "abrir", **fields: Any) -> ClientTool:
    """It is waited for."""
    described = {"type": "client", "name": name, "description": name, "expects_response": True}
    return msgspec.convert({**described, **fields}, ClientTool)


def webhook(name: str = "buscar", **fields: Any) -> WebhookTool:
    api = {"url": "https://example.com/buscar"}
    return msgspec.convert(
        {"type": "webhook", "name": name, "description": name, "api_schema": api, **fields}, WebhookTool
    )


def system(name: str, **params: Any) -> SystemTool:
    return msgspec.convert({"type": "system", "name": name, "params": {"system_tool_type": name, **params}}, SystemTool)


def prompted(*tools: ClientTool | WebhookTool | SystemTool, text: str = "") -> Prompt:
    own = tuple(tool for tool in tools if not isinstance(tool, SystemTool))
    ours = BuiltInTools(**{tool.name: tool for tool in tools if isinstance(tool, SystemTool)})
    return Prompt(text, tools=own, built_in_tools=ours)


def equipped(
    *tools: ClientTool | WebhookTool | SystemTool,
    text: str = "",
    first_message: str = "",
    events: Sequence[str] = TOOL_EVENTS,
    **rules: Any,
) -> Agent:
    """An agent with these tools; `text` is its prompt."""
    return agent(first_message, prompt=prompted(*tools, text=text), events=events, **rules)


def taking(**properties: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a tool, all required."""
    return {"properties": properties, "required": list(properties)}


def asks(name: str, call_id: str = "call_1", /, **arguments: Any) -> ToolCall:
    return ToolCall(call_id, name, msgspec.json.encode(arguments).decode())


def script(*generations: Sequence[Piece]) -> Callable[[str], Sequence[Piece]]:
    """A model that gives these answers, one each time it is asked, whatever it is told."""
    left = list(generations)
    return lambda _: left.pop(0)


def answers(call: Call, result: Any, call_id: str = "call_1", *, is_error: bool = False) -> None:
    """The client does, to a tool call."""
    call.sends(ClientToolResult(call_id, result, is_error))


def outcomes(call: Call) -> list[tuple[str, bool, bool]]:
    """Of the tool calls that have one: name, whether it is an error, whether the tool was called."""
    return [(told.tool_name, told.is_error, told.is_called) for told in call.messages(AgentToolResponse)]


def results(messages: Sequence[Message]) -> dict[str, str]:
    """What the model is told came of its calls, by their ids."""
    return {message.tool_call_id: message.content for message in messages if message.role == "tool"}


READY: list[Piece] = ["Pronto."]
DOOR = taking(porta={"type": "string", "description": "Qual porta"})


def asked(*generations: Sequence[Piece], tool: Any = None, **parts: Any) -> Call:
    """The user has typed; the model has answered with the first of these, and used `tool`, which is waited for."""
    call = Call(equipped(tool or client()), model=script(*generations), **parts)
    call.types("abre a porta")
    call.silence(0.5)
    return call
