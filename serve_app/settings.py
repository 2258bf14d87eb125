"""What operators set: the environment (secrets and addresses), and the agents' files. Read once, checked at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Secret, SecretStr, ValidationError

from serve_app.errors import ConfigurationError

AGENTS = Path(__file__).parents[1] / "configs" / "agents"

GROQ_URL = "https://api.groq.com"
GROQ_CHAT_MODEL = "openai/gpt-oss-120b"
"""Groq's production model for conversation (console.groq.com/docs/models, November 2026)."""


def _items(text: str) -> list[str]:
    """A comma alone is a mistake, and must not pass for "not set": API_KEYS that is not set opens the API."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise ValueError("nothing stands between the commas")
    return items


Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]


class Settings(BaseModel):
    """The environment, by its variables' names in lower case. Empty means not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(min_length=1)
    agents_dir: Path = AGENTS
    groq_api_key: SecretStr | None = None
    groq_base_url: str = GROQ_URL
    llm_base_url: str | None = None
    llm_api_key: SecretStr | None = None
    llm_model: str = GROQ_CHAT_MODEL
    api_keys: Annotated[tuple[SecretStr, ...], BeforeValidator(_items)] = ()
    signing_secret: Secret[Annotated[str, Field(min_length=32)]] | None = None
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_items)] = ("*",)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises ConfigurationError, which names the variable."""
        known = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())}
        try:
            return cls.model_validate(known)
        except ValidationError as e:
            first = e.errors(include_input=False)[0]
            name = str(first["loc"][0]).upper()
            raise ConfigurationError(f"environment variable {name}: {first['msg']}") from e
