"""What operators set: the environment (secrets and addresses), and the agents' files. Read once, checked at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from serve_app.errors import ConfigurationError

AGENTS = Path(__file__).parents[1] / "configs" / "agents"
JOURNAL = Path(__file__).parents[1] / ".data" / "journal"
RECORDINGS = Path(__file__).parents[1] / ".data" / "recordings"

GROQ_URL = "https://api.groq.com"
ELEVENLABS_URL = "https://api.elevenlabs.io"
GROQ_CHAT_MODEL = "openai/gpt-oss-120b"
GROQ_BACKUP_MODEL = "openai/gpt-oss-20b"
"""Groq's production models for conversation (console.groq.com/docs/models, November 2026): the smaller one is quicker,
and a limit or trouble of one leaves the other alone."""


def _items(text: str) -> list[str]:
    """A comma alone is a mistake, and must not pass for "not set": API_KEYS that is not set opens the API."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise ValueError("nothing stands between the commas")
    return items


def _named(text: str) -> dict[str, str]:
    """name=value, name=value"""
    pairs = [tuple(part.strip() for part in item.partition("=")) for item in _items(text)]
    if not all(name and equals and value for name, equals, value in pairs):
        raise ValueError("it is not name=value, name=value")
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise ValueError("a name stands there twice")
    return {name: value for name, _, value in pairs}


def _of_a_region(url: str) -> str:
    """Callers are sent there. In one spelling, so that two for the same one are seen to be that."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("a host or port cannot be one") from None  # the cause may quote a password
    if not parts.hostname or port == 0:
        raise ValueError("an address has no host, or port 0")
    if parts.username is not None:
        raise ValueError("an address has a user: callers would be told")
    default = f":{443 if parts.scheme == 'https' else 80}"
    return parts._replace(netloc=parts.netloc.lower().removesuffix(default), path=parts.path.rstrip("/")).geturl()


def _sendable(key: SecretStr) -> SecretStr:
    """It goes into a header. What does not fit there would fail in each request, and not say so."""
    if not re.fullmatch("[!-~]+", key.get_secret_value()):
        raise ValueError("it has a space, a line break, or something beyond ASCII")
    return key


Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
RegionUrl = Annotated[Url, AfterValidator(_of_a_region)]
ArchiveUrl = Annotated[str, Field(pattern=r"^(s3|gs|az)://[^\s?#]+$")]
Key = Annotated[SecretStr, AfterValidator(_sendable)]
HopName = Literal["stt", "llm", "llm_backup", "guard", "tts", "database"]
Budget = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ModelAddress(NamedTuple):
    """A language model. `base_url` goes up to and including its `/v1`; `api_key` None: it needs none."""

    base_url: str
    api_key: SecretStr | None
    model: str


class Environment(BaseModel):
    """Variables by their names in lower case. Empty means not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises ConfigurationError, which names the variable."""
        known = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())}
        try:
            return cls.model_validate(known)
        except ValidationError as e:
            first = e.errors(include_input=False)[0]
            names = [f"environment variable {name}: " for name in map(str.upper, map(str, first["loc"][:1]))]
            raise ConfigurationError("".join([*names, first["msg"].removeprefix("Value error, ")])) from e


class LogSettings(Environment):
    """What every process of ours is told about its log. `redaction_hook`: see `Redactor.from_spec`."""

    log_level: Annotated[Literal["trace", "debug", "info", "warning", "error"], BeforeValidator(str.lower)] = "info"
    redaction_hook: str = ""
    region: str = "local"


class Settings(Environment):
    """The gateway's part of the environment."""

    database_url: str = Field(min_length=1)
    agents_dir: Path = AGENTS
    journal_dir: Path = JOURNAL
    recordings_dir: Path = RECORDINGS
    recordings_url: ArchiveUrl | None = None
    groq_api_key: Key | None = None
    groq_base_url: Url = GROQ_URL
    llm_base_url: Url | None = None
    llm_api_key: Key | None = None
    llm_model: str = GROQ_CHAT_MODEL
    llm_backup_model: str | None = None
    llm_backup_base_url: Url | None = None
    llm_backup_api_key: Key | None = None
    guard_model: str | None = None
    guard_base_url: Url | None = None
    guard_api_key: Key | None = None
    elevenlabs_api_key: SecretStr | None = None
    elevenlabs_base_url: str = ELEVENLABS_URL
    hop_budgets_ms: Annotated[dict[HopName, Budget], BeforeValidator(_named)] = Field(default_factory=dict)
    api_keys: Annotated[tuple[SecretStr, ...], BeforeValidator(_items)] = ()
    signing_secret: Secret[Annotated[str, Field(min_length=32)]] | None = None
    public_url: Url | None = None
    region: str = "local"
    regions: Annotated[dict[str, RegionUrl], BeforeValidator(_named)] = Field(default_factory=dict)
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_items)] = ("*",)

    @field_validator("llm_backup_base_url")
    @classmethod
    def _names_a_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not info.data.get("llm_backup_model"):
            raise ValueError("LLM_BACKUP_MODEL must name the model to ask for there")
        return value

    @field_validator("regions")
    @classmethod
    def _has_its_own(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        region, public_url = info.data.get("region"), info.data.get("public_url")
        if value and region not in value:
            raise ValueError(f"the own one, {region} (REGION), must be among them")
        if value and public_url:
            raise ValueError("they name this server's address, too: leave PUBLIC_URL out")
        if len(set(value.values())) < len(value):
            raise ValueError("two of them have the same address")
        return value

    @model_validator(mode="after")
    def _backs_something_up(self) -> Self:
        if self.llm_backup_model and not self.language_model:
            raise ValueError("LLM_BACKUP_MODEL backs nothing up: set GROQ_API_KEY, LLM_API_KEY or LLM_BASE_URL too")
        return self

    @model_validator(mode="after")
    def _guard_is_somewhere(self) -> Self:
        if self.guard_model and not self.guard:
            raise ValueError("GUARD_MODEL has no endpoint: set GROQ_API_KEY, GUARD_API_KEY or GUARD_BASE_URL too")
        if (self.guard_base_url or self.guard_api_key) and not self.guard_model:
            raise ValueError("GUARD_MODEL must name the model that looks at callers' words")
        return self

    @property
    def language_model(self) -> ModelAddress | None:
        """The server's own. Groq's key goes to Groq alone: another LLM_BASE_URL gets LLM_API_KEY, or none."""
        if self.llm_base_url:
            return ModelAddress(self.llm_base_url, self.llm_api_key, self.llm_model)
        if key := self.llm_api_key or self.groq_api_key:
            return ModelAddress(f"{self.groq_base_url.rstrip('/')}/openai/v1", key, self.llm_model)
        return None

    @property
    def backup_model(self) -> ModelAddress | None:
        """Who is asked when that one fails: at the same endpoint, or at one of its own, which is sent no other key."""
        first = self.language_model
        model = self.llm_backup_model or (None if self.llm_base_url else GROQ_BACKUP_MODEL)
        if not first or not model:
            return None
        if self.llm_backup_base_url:
            return ModelAddress(self.llm_backup_base_url, self.llm_backup_api_key, model)
        return ModelAddress(first.base_url, self.llm_backup_api_key or first.api_key, model)

    @property
    def guard(self) -> ModelAddress | None:
        """The classifier of callers' words. Groq's key goes to Groq alone."""
        if not self.guard_model:
            return None
        if self.guard_base_url:
            return ModelAddress(self.guard_base_url, self.guard_api_key, self.guard_model)
        key = self.guard_api_key or self.groq_api_key
        return ModelAddress(f"{self.groq_base_url.rstrip('/')}/openai/v1", key, self.guard_model) if key else None

    @property
    def recordings_archive(self) -> str:
        """Where recordings are kept once they are whole, as a URL."""
        return self.recordings_url or (self.recordings_dir / "archive").absolute().as_uri()
