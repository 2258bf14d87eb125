"""Fields of ElevenLabs' agents that are not served here. Asking for one is an error, never ignored: a file may hold it
only with a value that asks for nothing, or for just what this server does.

docs/agents.md lists them, next to those that are served.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias


class Unserved(NamedTuple):
    """`why`, or what to do instead. `but`: values that are no different from what is done here."""

    why: str
    but: tuple[Any, ...] = ()

    def accepts(self, value: Any) -> bool:
        return _asks_for_nothing(value) or any(value == same and type(value) is type(same) for same in self.but)


class NoEffect(NamedTuple):
    """It changes nothing at ElevenLabs either, or not with the values that are left of other fields."""

    why: str

    def accepts(self, value: Any) -> bool:
        return True


Shape: TypeAlias = Mapping[str, "Shape | Unserved | NoEffect"]
"""Of a part of the file: fields and sections by name. `*` stands for every item of a list, and every key."""

_OFF = (False,)
_PHONES = Unserved("there is no telephone network here: a bridge has its own tools")
_MCP = Unserved("there are no MCP servers here: make a webhook tool of it")
_KNOWLEDGE = Unserved("put what the agent should know into its prompt, or behind a webhook tool")
_ANALYSIS = Unserved("calls are not analysed here")
_MEANS = Unserved("a value comes from a description, a constant_value or a dynamic_variable", _OFF)
_FILES = Unserved("the agent is this file")
_OF_THEIRS = NoEffect("belongs to their editor")

_PROPERTY: dict[str, Any] = {
    "is_system_provided": _MEANS,
    "is_omitted": Unserved("leave the parameter out", _OFF),
    "allowed_values": Unserved("use enum"),
    "allowed_values_dynamic_variable": Unserved("use enum"),
    "required_constraints": Unserved("use required"),
}
_PROPERTY |= {"properties": {"*": _PROPERTY}, "items": _PROPERTY}
PROPERTY: Shape = _PROPERTY
PARAMETERS: Shape = {"properties": {"*": PROPERTY}, "required_constraints": PROPERTY["required_constraints"]}

TOOL: Shape = {
    "force_pre_tool_speech": Unserved("use pre_tool_speech: force", _OFF),
    "assignments": Unserved("the model is told the result, variables stay as they are"),
    "dynamic_variables": Unserved("placeholders are the agent's: agent.dynamic_variables"),
    "execution_mode": Unserved("tools run at once, and the answer waits for them", ("immediate",)),
    "tool_call_sound": Unserved("no sounds are played"),
    "tool_call_sound_behavior": NoEffect("without a tool_call_sound"),
    "tool_error_handling_mode": Unserved("the model is told what went wrong", ("passthrough",)),
}
CLIENT_TOOL: Shape = {"parameters": PARAMETERS}
API_SCHEMA: Shape = {
    "path_params_schema": {"*": PROPERTY},
    "query_params_schema": PARAMETERS,
    "request_body_schema": PARAMETERS,
    "content_type": Unserved("bodies are JSON", ("application/json",)),
    "response_body_schema": NoEffect("is for documentation only"),
    "response_filter": Unserved("the model is told the whole answer: filter it at the source"),
    "auth_connection": Unserved("use request_headers with a secret_id"),
    "auth_resolved_params": Unserved("use request_headers with a secret_id"),
}
WEBHOOK_TOOL: Shape = {
    "api_schema": API_SCHEMA,
    "follow_redirects": Unserved("redirects are not followed: give the final address", _OFF),
    "follow_redirects_allowed_domains": NoEffect("without follow_redirects"),
}
TRANSFER: Shape = {
    "delay_ms": Unserved("transfers are made at once", (0,)),
    "branch_id": Unserved("there are no branches here"),
    "node_id": Unserved("there are no workflows here"),
    "is_workflow_node_transfer": Unserved("there are no workflows here", _OFF),
    "preserve_client_tts_overrides": Unserved("the new agent speaks in its own voice", _OFF),
    "preserve_voice_settings": Unserved("the new agent speaks in its own voice", _OFF),
}
SYSTEM_PARAMS: Shape = {
    "only_at_conversation_start": Unserved("the language can change at any time", _OFF),
    "wait_timeout_secs": Unserved("the agent waits turn.turn_timeout"),
    "transfers": {"*": TRANSFER},
}
SYSTEM_TOOL: Shape = {**TOOL, "params": SYSTEM_PARAMS}
BUILT_IN_TOOLS: Shape = {
    **dict.fromkeys(("end_call", "skip_turn", "language_detection", "transfer_to_agent"), SYSTEM_TOOL),
    **dict.fromkeys(("transfer_to_number", "voicemail_detection", "play_keypad_touch_tone"), _PHONES),
}

CUSTOM_LLM: Shape = {
    "auth_connection": Unserved("use api_key or request_headers"),
    "api_version": Unserved("name it in the url"),
}
PROMPT: Shape = {
    "tools": {"*": {**TOOL, **CLIENT_TOOL, **WEBHOOK_TOOL}},
    "built_in_tools": BUILT_IN_TOOLS,
    "custom_llm": CUSTOM_LLM,
    "tool_ids_strict": NoEffect("tool_ids is the whole list in any case"),
    "mcp_server_ids": _MCP,
    "native_mcp_server_ids": _MCP,
    "knowledge_base": _KNOWLEDGE,
    "rag": _KNOWLEDGE,
    "thinking_budget": Unserved("use reasoning_effort"),
    "enable_reasoning_summary": Unserved("clients that list agent_reasoning_response_part get it as it is", _OFF),
    "service_tier": Unserved("the provider's default is used"),
    "ignore_default_personality": NoEffect("nothing is added to the prompt in any case"),
    "timezone": Unserved("tell the time in a dynamic variable"),
}
PERSONA: Shape = {
    "prompt": PROMPT,
    "hinglish_mode": Unserved("write it into the prompt", _OFF),
    "text_behavior_overrides": Unserved("write it into the prompt"),
    "native_mcp_server_ids": _MCP,
}
HEARING: Shape = {"provider": Unserved("the operator chooses the recogniser, by environment variable")}
SOFT_TIMEOUT: Shape = {
    "use_llm_generated_message": Unserved("messages are spoken as they are written", _OFF),
    "llm_generated_message_prompt_override": NoEffect("without use_llm_generated_message"),
    "randomize_fillers": Unserved("messages come in order", _OFF),
}
TURN: Shape = {
    "soft_timeout_config": SOFT_TIMEOUT,
    "mode": Unserved("silence ends a turn", ("turn",)),
    "turn_model": Unserved("this server has its own"),
    "speculative_turn": Unserved("what is begun before the turn is decided is the server's to say"),
    "retranscribe_on_turn_timeout": Unserved("what held no speech is not recognised", _OFF),
    "noisy_environment_detection": Unserved("noise is not detected", _OFF),
    "noisy_environment_message": NoEffect("without noisy_environment_detection"),
}
VOICE: Shape = {
    "supported_voices": Unserved("an agent has one voice, or one for each of language_presets"),
    "expressive_mode": Unserved("write it into the prompt", _OFF),
    "suggested_audio_tags": NoEffect("without expressive_mode"),
    "optimize_streaming_latency": NoEffect("is deprecated"),
    "clone_strength": Unserved("use similarity_boost"),
    "text_normalisation_type": Unserved("numbers are read as the voice reads them: write it into the prompt"),
    "pronunciation_dictionary_locators": Unserved("spell the word as it sounds, in the prompt"),
    "enable_phoneme_tags": Unserved("spell the word as it sounds, in the prompt", _OFF),
    "audio_effects": Unserved("the voice is sent as it is"),
}
RULES: Shape = {
    "file_input": Unserved("files are not taken"),
    "monitoring_enabled": Unserved("calls cannot be listened to", _OFF),
    "monitoring_events": NoEffect("without monitoring_enabled"),
    "dtmf_input_settings": _PHONES,
    "background_sound": Unserved("no sounds are played"),
    "source_attribution": _KNOWLEDGE._replace(but=_OFF),
}
OVERRIDES: Shape = {"agent": PERSONA, "asr": HEARING, "turn": TURN, "tts": VOICE, "conversation": RULES}
TRANSLATION: Shape = {"source_hash": _OF_THEIRS}
PRESET: Shape = {
    "overrides": OVERRIDES,
    "first_message_translation": TRANSLATION,
    "soft_timeout_translation": TRANSLATION,
    "noisy_environment_message_translation": NoEffect("without turn.noisy_environment_detection"),
}
CONFIG: Shape = {
    **OVERRIDES,
    "vad": Unserved("background voices are not told apart", ({"background_voice_detection": False},)),
    "language_presets": {"*": PRESET},
}
AUTH: Shape = {"shareable_token": Unserved("use a signed URL")}
PERMISSIONS: Shape = {
    "enable_conversation_initiation_client_data_from_webhook": Unserved("the client brings its own data", _OFF),
    "enable_starting_workflow_node_id_from_client": Unserved("there are no workflows here", _OFF),
    "enable_procedure_ids_from_client": Unserved("there are no procedures here", _OFF),
}
CALL_LIMITS: Shape = {
    "daily_limit": Unserved("calls are not counted by the day", (100_000,)),
    "bursting_enabled": Unserved("a limit is not exceeded", _OFF),
}
HISTORY_REDACTION: Shape = {"excluded_data_collection_ids": _ANALYSIS}
PRIVACY: Shape = {
    "delete_transcript_and_pii": Unserved("after retention_days the whole conversation is deleted", _OFF),
    "delete_audio": Unserved("after retention_days the whole conversation is deleted", _OFF),
    "apply_to_existing_conversations": NoEffect("retention_days is for those that are stored already in any case"),
    "zero_retention_mode": Unserved("use retention_days: 0, which deletes a conversation minutes after its end", _OFF),
    "conversation_history_redaction": HISTORY_REDACTION,
}
_JUDGED = "the prompt is where it is said; besides prompt_injection nothing is judged here"
GUARDRAILS: Shape = {
    "version": NoEffect("there is one"),
    "focus": Unserved(_JUDGED),
    "content": Unserved(_JUDGED),
    "custom": Unserved(_JUDGED),
}
PLATFORM: Shape = {
    "auth": AUTH,
    "overrides": PERMISSIONS,
    "privacy": PRIVACY,
    **dict.fromkeys(("evaluation", "data_collection", "data_collection_scopes", "analysis_items"), _ANALYSIS),
    **dict.fromkeys(("analysis_llm", "topic_discovery", "sentiment_analysis", "summary_language"), _ANALYSIS),
    "call_limits": CALL_LIMITS,
    "queueing_config": Unserved("a full server refuses at once"),
    "guardrails": GUARDRAILS,
    "testing": Unserved("agents are not tested here"),
    "alerting": Unserved("alerts are the operator's, on metrics"),
    "workspace_overrides": Unserved("there are no workspaces here"),
    "trust_context": Unserved("there are no workspaces here"),
    "archived": Unserved("take the file out of the folder", _OFF),
    "safety": _OF_THEIRS,
    "auto_translate_transcript_to_app_language": _OF_THEIRS,
}
AGENT: Shape = {
    "conversation_config": CONFIG,
    "platform_settings": PLATFORM,
    "agent_id": Unserved("an agent's id is the name of its file"),
    "workflow": Unserved("there are no workflows here: use transfer_to_agent"),
    "procedures": Unserved("write it into the prompt"),
    "tags": Unserved("there is nothing to tag for"),
    "phone_numbers": _PHONES,
    "whatsapp_accounts": _PHONES,
    "default_hold_audio_url": _PHONES,
    **dict.fromkeys(("version_id", "branch_id", "main_branch_id"), _FILES),
    "metadata": _OF_THEIRS,
    "access_info": _OF_THEIRS,
}
"""An agent's file, or what ElevenLabs' API answers for an agent."""


def refused(document: Any, shape: Shape = AGENT, path: str = "") -> Iterator[str]:
    """What the document asks for in vain: path and reason of each."""
    for key, value in _items(document):
        here = f"{path}[{key}]" if isinstance(document, list) else f"{path}.{key}".lstrip(".")
        match shape.get(key, shape.get("*")):
            case Unserved() | NoEffect() as field if not field.accepts(value):
                yield f"{here} is not supported here: {field.why}"
            case Mapping() as section:
                yield from refused(value, section, here)


def without(document: Any, shape: Shape = AGENT) -> Any:
    """The document without these fields."""
    if not isinstance(document, dict | list):
        return document
    served = {}
    for key, value in _items(document):
        below = shape.get(key, shape.get("*", {}))
        if not isinstance(below, Unserved | NoEffect):
            served[key] = without(value, below)
    return list(served.values()) if isinstance(document, list) else served


def _items(document: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(document, list):
        return enumerate(document)
    return document.items() if isinstance(document, dict) else ()


def _asks_for_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        off = value.get("enabled", value.get("is_enabled")) is False
        return off or all(map(_asks_for_nothing, value.values()))
    return value is None or value in ("", [])
