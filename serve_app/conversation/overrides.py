"""What of an agent is different in one conversation: what the client asks for, and what another language brings."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from serve_app.conversation.agent import Agent, ConversationConfig, LanguagePreset
from serve_app.conversation.unserved import OVERRIDES, refused, without
from serve_app.errors import OverrideError

OVERRIDABLE = frozenset(
    {
        "agent.first_message",
        "agent.language",
        "agent.max_conversation_duration_message",
        "agent.prompt.prompt",
        "agent.prompt.llm",
        "agent.prompt.reasoning_effort",
        "agent.prompt.tool_ids",
        "asr.keywords",
        "conversation.text_only",
        "conversation.client_events",
        "conversation.max_duration_seconds",
        "tts.voice_id",
        "tts.model_id",
        "tts.stability",
        "tts.similarity_boost",
        "tts.speed",
        "turn.soft_timeout_config.message",
        "turn.soft_timeout_config.additional_soft_timeout_messages",
    }
)

Values = dict[str, Any]
"""By their paths in conversation_config."""


def apply(agent: Agent, override: Mapping[str, Any]) -> Agent:
    """The agent as the client of one conversation wants it; `override` is its conversation_config_override.

    A value that the agent has anyway needs no permission. With another language comes its preset, under what else is
    overridden. Raises OverrideError, which names the path.
    """
    asked = _asked(override)
    if isinstance(language := asked.get("agent.language"), str):
        asked["agent.language"] = _nearest(language, agent)
    permissions = leaves(agent.platform_settings.overrides.conversation_config_override)
    permitted = {path for path, permission in permissions if permission is True}
    values = {path: value for path, value in asked.items() if path in permitted or value != _value(agent, path)}
    if denied := sorted(values.keys() - permitted):
        raise OverrideError(f"{', '.join(denied)}: this agent does not permit to override that")
    if isinstance(language := values.get("agent.language"), str):  # else it is refused like any other wrong value
        del values["agent.language"]
        agent = in_language(_with(agent, values), language)
    return _with(agent, values)


def in_language(agent: Agent, language: str) -> Agent:
    """The agent with its preset for a language, if it has one; what it was before is a preset of the new agent, so it
    can change as often as it likes. pt-BR is pt, where there is no pt-BR, and the other way round. Raises
    OverrideError for a preset that does not fit."""
    language = _nearest(language, agent)
    config = agent.conversation_config
    presets: Mapping[str, LanguagePreset] = config.language_presets
    if config.agent.language not in presets:
        presets = _complete(agent)
    preset = presets.get(language, presets[config.agent.language])
    changed = _with(agent, {**dict(leaves(preset.overrides)), "agent.language": language})
    config = msgspec.structs.replace(changed.conversation_config, language_presets={language: preset, **presets})
    return msgspec.structs.replace(changed, conversation_config=config)


def _nearest(language: str, agent: Agent) -> str:
    """The agent's own tag for a language: the same, or the bare language, or another country's. Else the one given."""
    wanted = language.lower()
    primary = wanted.partition("-")[0]
    tags = [tag for tag in agent.languages if tag.lower().partition("-")[0] == primary]
    return min(tags, key=lambda tag: (tag != language, tag.lower() != wanted, "-" in tag), default=language)


def check_extra_body(agent: Agent, body: Mapping[str, Any]) -> None:
    """custom_llm_extra_body is for an agent's own model, if it permits. Raises OverrideError."""
    if body and not agent.platform_settings.overrides.custom_llm_extra_body:
        raise OverrideError("custom_llm_extra_body: this agent does not permit it")
    if body and not agent.conversation_config.agent.prompt.custom_llm:
        raise OverrideError("custom_llm_extra_body: this agent has no custom_llm")


def leaves(section: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of all that is no section itself."""
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _asked(override: Mapping[str, Any]) -> Values:
    """Without what asks for nothing. Python clients have `text_only` at the top. Raises OverrideError for what nobody
    may override."""
    if complaint := next(refused(override, OVERRIDES), None):
        raise OverrideError(complaint)
    values = {path: value for path, value in leaves(without(override, OVERRIDES)) if value is not None}
    if (text_only := values.pop("text_only", None)) is not None:
        values.setdefault("conversation.text_only", text_only)
    if foreign := sorted(values.keys() - OVERRIDABLE):
        raise OverrideError(f"{', '.join(foreign)}: cannot be overridden")
    return values


def _complete(agent: Agent) -> dict[str, LanguagePreset]:
    """Presets for its own language and the others, with a value each wherever any of them has one."""
    config = agent.conversation_config
    values = {language: _of_preset(preset, language) for language, preset in config.language_presets.items()}
    values[config.agent.language] = {}
    own = {path: _value(agent, path) for each in values.values() for path in each}
    return {language: LanguagePreset(_set({}, own | each)) for language, each in values.items()}


def _of_preset(preset: LanguagePreset, language: str) -> Values:
    values: Values = {}
    if preset.first_message_translation:
        values["agent.first_message"] = preset.first_message_translation.text
    if preset.soft_timeout_translation:
        values["turn.soft_timeout_config.message"] = preset.soft_timeout_translation.text
    values |= _asked(preset.overrides)
    if values.pop("agent.language", language) != language:
        raise OverrideError(f"agent.language: this is the preset for {language}")
    return values


def _value(agent: Agent, path: str) -> Any:
    """What the agent has there, as it would be sent."""
    value: Any = agent.conversation_config
    for name in path.split("."):
        value = getattr(value, name, None)
    return list(value) if isinstance(value, tuple) else value


def _with(agent: Agent, values: Values) -> Agent:
    if not values:
        return agent
    config = _set(msgspec.to_builtins(agent.conversation_config), values)
    try:
        changed = msgspec.structs.replace(agent, conversation_config=msgspec.convert(config, ConversationConfig))
    except msgspec.ValidationError as e:
        raise OverrideError(f"invalid override: {e}") from e
    _check_tool_ids(changed)
    return changed


def _set(config: dict[str, Any], values: Values) -> dict[str, Any]:
    for path, value in values.items():
        *sections, field = path.split(".")
        section = config
        for name in sections:
            section = section.setdefault(name, {})
        section[field] = value
    return config


def _check_tool_ids(agent: Agent) -> None:
    prompt = agent.conversation_config.agent.prompt
    if missing := sorted(set(prompt.tool_ids or ()) - {tool.name for tool in prompt.tools}):
        raise OverrideError(f"agent.prompt.tool_ids: the agent has no tool named {', '.join(missing)}")
