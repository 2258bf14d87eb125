"""An agent to override, and a value for everything that can be."""

from typing import Any

import msgspec

from serve_app.conversation.agent import Agent

Tree = dict[str, Any]

CLIENT_TOOL = {"type": "client", "name": "show_map", "description": "Shows a map."}
OTHER_TOOL = {"type": "client", "name": "hide_map", "description": "Hides it."}


def nested(path: str, value: Any) -> Tree:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def merged(*trees: Tree) -> Tree:
    whole: Tree = {}
    for tree in trees:
        for key, value in tree.items():
            old = whole.get(key)
            whole[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return whole


def agent(
    *permitted: str, presets: Tree | None = None, custom_llm: Tree | None = None, extra_body: bool = False
) -> Agent:
    prompt: Tree = {"prompt": "Be brief.", "tools": [CLIENT_TOOL, OTHER_TOOL], "custom_llm": custom_llm}
    described = {
        "name": "Ana",
        "conversation_config": {
            "agent": {"language": "pt", "first_message": "Oi.", "prompt": prompt},
            "tts": {"voice_id": "v1", "speed": 1.1},
            "asr": {"keywords": ["Tucano"]},
            "language_presets": presets or {},
        },
        "platform_settings": {
            "overrides": {
                "conversation_config_override": merged(*(nested(path, True) for path in permitted)),
                "custom_llm_extra_body": extra_body,
            }
        },
    }
    return msgspec.convert(described, Agent)


VALUES: dict[str, Any] = {
    "agent.first_message": "Hello.",
    "agent.language": "en",
    "agent.max_conversation_duration_message": "Time is up.",
    "agent.prompt.prompt": "Be long.",
    "agent.prompt.llm": "large",
    "agent.prompt.reasoning_effort": "low",
    "agent.prompt.tool_ids": ["show_map"],
    "asr.keywords": ["Araucária"],
    "conversation.text_only": True,
    "conversation.client_events": ["audio"],
    "conversation.max_duration_seconds": 30,
    "tts.voice_id": "v2",
    "tts.model_id": "eleven_v9",
    "tts.stability": 0.1,
    "tts.similarity_boost": 0.2,
    "tts.speed": 0.9,
    "turn.soft_timeout_config.message": "Well...",
    "turn.soft_timeout_config.additional_soft_timeout_messages": ["Still..."],
}
"""One that is not the agent's, for every path."""
