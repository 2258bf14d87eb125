"""The opening message applied to the agent: overrides, language, dynamic variables."""

from collections.abc import Mapping
from typing import Any

import msgspec

from serve_app.conversation import dynamic_variables, overrides
from serve_app.conversation.agent import Agent
from serve_app.conversation.client_messages import ConversationInitiation, EnclaveSetupConfig, asks_for_something
from serve_app.conversation.dynamic_variables import Variables
from serve_app.errors import ClientError

_NOT_HERE = ("starting_workflow_node_id", "procedure_ids", "start_procedure_ids", "tool_mock_config")


class Opening(msgspec.Struct, frozen=True):
    """`agent` as this caller gets it, `{{name}}` still standing in its texts. `given`: the client's variables and ours;
    `variables`: those of the agent's own file too."""

    agent: Agent
    given: Variables
    variables: Variables
    extra_body: Mapping[str, Any]


def begin(agent: Agent, initiation: ConversationInitiation, system: Variables) -> Opening:
    """Raises OverrideError and MissingVariable, with which the conversation ends before it began."""
    changed = overrides.apply(agent, msgspec.to_builtins(initiation.conversation_config_override or {}))
    extra_body = initiation.custom_llm_extra_body or {}
    overrides.check_extra_body(agent, extra_body)
    given = {name: value for name, value in (initiation.dynamic_variables or {}).items() if value is not None}
    return Opening(changed, {**given, **system}, dynamic_variables.known(changed, given, system), extra_body)


def not_honoured(initiation: ConversationInitiation) -> list[ClientError]:
    """What the message asks for and there is not: the client is told, and the conversation goes on."""
    asked = [name for name in _NOT_HERE if asks_for_something(getattr(initiation, name))]
    asked += [f"conversation_config_override: {path}" for path in initiation.unknown_overrides[:10]]
    return [ClientError(f"{name} is not supported here: it was ignored") for name in asked]


def check_enclave(setup: EnclaveSetupConfig) -> None:
    """Raises ClientError if the client brings an agent of its own, or wants to be called back."""
    if any(asks_for_something(getattr(setup, field)) for field in setup.__struct_fields__):
        raise ClientError("enclave_setup_config is not supported here: agents are files of this server. Send it empty")
