"""How long a call may last: what a region's gateways must outlast when they are replaced."""

from pathlib import Path

import msgspec
from msgspec import Struct

from serve_app.conversation.agent import Rules
from serve_app.errors import ConfigurationError

DEFAULT_CALL_S = Rules().max_duration_seconds


class _Conversation(Struct, frozen=True):
    max_duration_seconds: float = DEFAULT_CALL_S


class _Config(Struct, frozen=True):
    conversation: _Conversation = _Conversation()


class _AgentFile(Struct, frozen=True):
    """Of an agent's file that alone. The rest is checked where the agent's secrets are."""

    conversation_config: _Config = _Config()


def longest_call_s(agents: Path) -> float:
    """Of the agents in that folder. (A client whom an agent lets override it may ask for more.)

    Raises ConfigurationError.
    """
    try:
        found = sorted(agents.iterdir())
    except OSError as e:
        raise ConfigurationError(f"cannot read the agents in {agents}: {e.strerror}") from e
    if others := [path.name for path in found if path.suffix in (".yml", ".json")]:  # a replica refuses them, too
        raise ConfigurationError(f"agents are files AGENT_ID.yaml: rename {', '.join(others)} in {agents}")
    return max((_call_s(path) for path in found if path.suffix == ".yaml"), default=DEFAULT_CALL_S)


def _call_s(path: Path) -> float:
    try:
        agent = msgspec.yaml.decode(path.read_bytes(), type=_AgentFile)
    except msgspec.DecodeError as e:
        raise ConfigurationError(f"agent file {path}: {e}") from e
    return agent.conversation_config.conversation.max_duration_seconds
