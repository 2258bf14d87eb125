from typing import Any

import msgspec
import pytest

from serve_app.conversation.agent import DEFAULT_CLIENT_EVENTS, Agent
from serve_app.conversation.server_messages import SERVER_MESSAGES

CLIENT_TOOL = {"type": "client", "name": "show_map", "description": "Shows a map."}
WEBHOOK = {
    "type": "webhook",
    "name": "shop",
    "description": "Asks the shop.",
    "api_schema": {
        "url": "https://shop.example/orders",
        "request_headers": {
            "authorization": {"secret_id": "SHOP_KEY"},
            "x-caller": {"variable_name": "caller"},
            "accept": "application/json",
        },
    },
}
END_CALL = {"name": "end_call", "params": {"system_tool_type": "end_call"}}


def agent(**config: Any) -> Agent:
    return msgspec.convert({"name": "Ana", "conversation_config": config}, Agent)


def test_an_agent_needs_only_a_name() -> None:
    plain = msgspec.convert({"name": "Ana"}, Agent)
    config = plain.conversation_config
    assert (config.agent.language, config.agent.first_message) == ("pt", "")
    assert config.asr.user_input_audio_format == config.tts.agent_output_audio_format == "pcm_16000"
    assert (plain.tools, plain.secrets, plain.transfers_to, plain.languages) == ({}, set(), set(), ["pt"])


def test_it_is_read_in_the_shape_of_elevenlabs() -> None:
    config = agent(
        agent={"language": "en", "first_message": "Hi.", "prompt": {"prompt": "Be brief."}},
        asr={"user_input_audio_format": "ulaw_8000"},
        tts={"voice_id": "v1", "agent_output_audio_format": "ulaw_8000"},
        conversation={"client_events": ["audio"]},
    ).conversation_config
    assert config.agent.prompt.prompt == "Be brief."
    assert config.tts.voice_id == "v1"
    assert config.conversation.client_events == ("audio",)


def test_what_is_written_out_is_read_back() -> None:
    plain = agent(
        agent={"prompt": {"tools": [CLIENT_TOOL, WEBHOOK], "built_in_tools": {"end_call": END_CALL}}},
        turn={"soft_timeout_config": {"timeout_seconds": 3}},
        language_presets={"en": {"overrides": {"tts": {"voice_id": "v-en"}}}},
    )
    assert msgspec.convert(msgspec.to_builtins(plain), Agent) == plain
    assert msgspec.json.decode(msgspec.json.encode(plain), type=Agent) == plain


@pytest.mark.parametrize(
    ("described", "field"),
    [
        ({"name": "Ana", "voice": "v1"}, "voice"),
        ({"name": "Ana", "conversation_config": {"agent": {"first_mesage": "Hi."}}}, "first_mesage"),
        ({"conversation_config": {}}, "name"),
        ({"name": "Ana", "conversation_config": {"agent": {"language": 5}}}, "language"),
        ({"name": "Ana", "conversation_config": {"agent": {"language": "Portuguese"}}}, "language"),
        ({"name": "Ana", "conversation_config": {"turn": {"turn_timeout": 31}}}, "turn_timeout"),
    ],
)
def test_a_mistake_is_named(described: dict[str, object], field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(described, Agent)


# ---- events


def test_without_a_list_the_client_gets_elevenlabs_default() -> None:
    assert agent().client_events == set(DEFAULT_CLIENT_EVENTS)
    assert set(DEFAULT_CLIENT_EVENTS) <= SERVER_MESSAGES.keys()


def test_a_text_conversation_gets_the_answer_in_parts() -> None:
    assert "agent_chat_response_part" in agent(conversation={"text_only": True}).client_events


@pytest.mark.parametrize("text_only", [False, True])
def test_a_list_is_the_whole_list(text_only: bool) -> None:
    assert agent(conversation={"text_only": text_only, "client_events": ["audio"]}).client_events == {"audio"}
    assert agent(conversation={"text_only": text_only, "client_events": []}).client_events == set()


# ---- what it can do, and needs


def test_its_tools_are_its_own_and_the_built_in_ones() -> None:
    prompt = {"tools": [CLIENT_TOOL, WEBHOOK], "built_in_tools": {"end_call": END_CALL, "skip_turn": None}}
    tools = agent(agent={"prompt": prompt}).tools
    assert list(tools) == ["show_map", "shop", "end_call"]
    assert all(tool.name == name for name, tool in tools.items())


def test_tool_ids_choose_among_its_own() -> None:
    prompt = {"tools": [CLIENT_TOOL, WEBHOOK], "built_in_tools": {"end_call": END_CALL}}
    assert list(agent(agent={"prompt": {**prompt, "tool_ids": ["shop"]}}).tools) == ["shop", "end_call"]
    assert list(agent(agent={"prompt": {**prompt, "tool_ids": []}}).tools) == ["end_call"]


def test_it_knows_the_secrets_of_its_tools_and_of_its_model() -> None:
    custom = {
        "url": "https://models.example/v1",
        "api_key": {"secret_id": "MODEL_KEY"},
        "request_headers": {"x-team": {"secret_id": "TEAM"}, "x-plain": "text"},
    }
    assert agent(agent={"prompt": {"tools": [CLIENT_TOOL, WEBHOOK]}}).secrets == {"SHOP_KEY"}
    assert agent(agent={"prompt": {"custom_llm": custom}}).secrets == {"MODEL_KEY", "TEAM"}


def test_it_knows_where_it_transfers_to() -> None:
    transfers = [{"agent_id": "sales", "condition": "to buy"}, {"agent_id": "repairs", "condition": "to repair"}]
    params = {"system_tool_type": "transfer_to_agent", "transfers": transfers}
    built_in = {"transfer_to_agent": {"name": "transfer_to_agent", "params": params}}
    assert agent(agent={"prompt": {"built_in_tools": built_in}}).transfers_to == {"sales", "repairs"}


def test_its_languages_are_its_own_and_those_of_its_presets() -> None:
    assert agent(agent={"language": "en"}, language_presets={"pt": {}, "es": {}}).languages == ["en", "pt", "es"]
