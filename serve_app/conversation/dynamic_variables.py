"""`{{name}}` in an agent's texts."""

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from serve_app.conversation.agent import Agent
from serve_app.conversation.tools import (
    ClientTool,
    Property,
    Reference,
    SystemTool,
    Tool,
    TransferToAgent,
    WebhookTool,
)
from serve_app.errors import ClientError, MissingVariable

Value = str | int | float | bool
Variables = Mapping[str, Value]
AnyTool = TypeVar("AnyTool", ClientTool | WebhookTool, SystemTool)

SYSTEM = frozenset({"system__agent_id", "system__conversation_id", "system__time_utc"})
"""What the server gives: the agent that the call began with, the conversation, and when it began (ISO 8601)."""

LONGEST_TEXT = 200_000
"""Characters of a text once it is filled in."""

_PLACE = re.compile(r"\{\{\s*([a-zA-Z_]\w*)\s*\}\}")


def names(text: str) -> set[str]:
    """Of the variables that this text needs."""
    return set(_PLACE.findall(text))


def fill(text: str, variables: Variables) -> str:
    """Every variable of the text must be there. Raises ClientError if the text gets too long."""
    length = len(text) + sum(len(written(variables[name])) for name in _PLACE.findall(text))
    if length > LONGEST_TEXT:  # told before it is made: a text may name a variable a thousand times
        raise ClientError(f"dynamic variables make a text of {length} characters: the limit is {LONGEST_TEXT}")
    return _PLACE.sub(lambda place: written(variables[place[1]]), text)


def written(value: Value) -> str:
    """true and false as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def known(agent: Agent, given: Variables, system: Variables) -> dict[str, Value]:
    """All variables of an agent in a conversation: its file's placeholders, over them the client's, over both ours.

    Raises MissingVariable, which names those that the agent needs and nobody gives.
    """
    placeholders = agent.conversation_config.agent.dynamic_variables.dynamic_variable_placeholders
    variables = {**placeholders, **given, **system}
    if missing := sorted(needed(agent) - variables.keys()):
        raise MissingVariable(f"missing dynamic variables: {', '.join(missing)}. Send them in dynamic_variables")
    return variables


def filled(agent: Agent, variables: Variables) -> Agent:
    """The agent with its prompt, its messages and the descriptions of its tools filled in. What a tool sends is filled
    in when it is called."""
    config = agent.conversation_config
    persona, soft = config.agent, config.turn.soft_timeout_config
    goodbye = persona.max_conversation_duration_message
    replace = msgspec.structs.replace
    tools = tuple(_filled_tool(tool, variables) for tool in persona.prompt.tools)
    built_in = {name: _filled_tool(tool, variables) for name, tool in persona.prompt.built_in_tools.all().items()}
    prompt = replace(
        persona.prompt,
        prompt=fill(persona.prompt.prompt, variables),
        tools=tools,
        built_in_tools=replace(persona.prompt.built_in_tools, **built_in),
    )
    persona = replace(
        persona,
        first_message=fill(persona.first_message, variables),
        max_conversation_duration_message=goodbye if goodbye is None else fill(goodbye, variables),
        prompt=prompt,
    )
    soft = replace(
        soft,
        message=fill(soft.message, variables),
        additional_soft_timeout_messages=tuple(
            fill(message, variables) for message in soft.additional_soft_timeout_messages
        ),
    )
    turn = replace(config.turn, soft_timeout_config=soft)
    return replace(agent, conversation_config=replace(config, agent=persona, turn=turn))


def _filled_tool(tool: AnyTool, variables: Variables) -> AnyTool:
    tool = msgspec.structs.replace(tool, description=fill(tool.description, variables))
    if not isinstance(tool, SystemTool) or not isinstance(tool.params, TransferToAgent):
        return tool
    transfers = tuple(
        msgspec.structs.replace(
            transfer,
            condition=fill(transfer.condition, variables),
            transfer_message=fill(transfer.transfer_message, variables),
        )
        for transfer in tool.params.transfers
    )
    return msgspec.structs.replace(tool, params=TransferToAgent(transfers))


def needed(agent: Agent) -> set[str]:
    """The names of all that its texts and its tools refer to."""
    config = agent.conversation_config
    soft = config.turn.soft_timeout_config
    texts = [
        config.agent.prompt.prompt,
        config.agent.first_message,
        config.agent.max_conversation_duration_message or "",
        soft.message,
        *soft.additional_soft_timeout_messages,
    ]
    found = {name for text in texts for name in names(text)}
    prompt = config.agent.prompt
    for tool in [*prompt.tools, *prompt.built_in_tools.all().values()]:
        found |= _needed_by(tool)
    return found


def _needed_by(tool: Tool) -> set[str]:
    needed = names(tool.description)
    if isinstance(tool, SystemTool):
        transfers = tool.params.transfers if isinstance(tool.params, TransferToAgent) else ()
        return needed.union(*(names(text) for each in transfers for text in (each.condition, each.transfer_message)))
    needed |= set(_of_properties(tool.parameters.properties))
    if isinstance(tool, WebhookTool):
        headers = tool.api_schema.request_headers.values()
        needed |= names(tool.api_schema.url)
        needed |= {header.variable_name for header in headers if isinstance(header, Reference) and header.variable_name}
    return needed


def _of_properties(properties: Mapping[str, Property]) -> Iterator[str]:
    for prop in properties.values():
        if prop.dynamic_variable:
            yield prop.dynamic_variable
        yield from _of_properties(prop.properties)
        if prop.items:
            yield from _of_properties({"items": prop.items})
