"""What operators set: the environment (secrets and addresses), and the agents' files. Read once, checked at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.agent import Agent
from serve_app.errors import ConfigurationError

AGENTS = Path(__file__).parents[1] / "configs" / "agents"

GROQ_URL = "https://api.groq.com"
GROQ_CHAT_MODEL = "openai/gpt-oss-120b"
"""Groq's production model for conversation (console.groq.com/docs/models, November 2026)."""


class Settings(BaseModel):
    """The environment, by its variables' names in lower case. Empty means not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(min_length=1)
    groq_api_key: SecretStr | None = None
    groq_base_url: str = GROQ_URL
    llm_base_url: str | None = None
    llm_api_key: SecretStr | None = None
    llm_model: str = GROQ_CHAT_MODEL

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises ConfigurationError, which names the variable."""
        known = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())}
        try:
            return cls.model_validate(known)
        except ValidationError as e:
            first = e.errors(include_input=False)[0]
            name = "_".join(str(part) for part in first["loc"]).upper()
            raise ConfigurationError(f"environment variable {name}: {first['msg']}") from e


def load_agents(folder: Path = AGENTS) -> dict[str, Agent]:
    """Every `AGENT_ID.yaml` of the folder. Raises ConfigurationError, which names file and field."""
    agents = {path.stem: _load_agent(path) for path in sorted(folder.glob("*.yaml"))}
    if not agents:
        raise ConfigurationError(f"there is no agent in {folder}: put one file AGENT_ID.yaml there for each")
    return agents


def _load_agent(path: Path) -> Agent:
    try:
        agent = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Agent)
        AudioFormat.parse(agent.conversation_config.asr.user_input_audio_format)
        AudioFormat.parse(agent.conversation_config.tts.agent_output_audio_format)
    except (yaml.YAMLError, ValueError) as e:  # msgspec.ValidationError is a ValueError
        raise ConfigurationError(f"agent file {path}: {e}") from e
    return agent
