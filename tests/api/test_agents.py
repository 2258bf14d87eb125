import json
from typing import Any

import msgspec
import pytest
from elevenlabs.core.api_error import ApiError
from elevenlabs.types import GetAgentEmbedResponseModel, GetAgentResponseModel
from starlette.applications import Starlette
from starlette.testclient import TestClient

from serve_app.api.agents import routes
from serve_app.api_keys import ApiKeys
from serve_app.conversation.agent import Agent
from serve_app.signatures import VALID_S, Signatures
from tests.api.official_client import client_of
from tests.api.samples import AGENTS

KEY = "key_1"
SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000.0

FULL = msgspec.convert(
    {
        "name": "Bia",
        "conversation_config": {
            "agent": {
                "language": "pt",
                "first_message": "Olá!",
                "prompt": {
                    "prompt": "Seja breve.",
                    "custom_llm": {"url": "https://llm.example/v1", "api_key": {"secret_id": "LLM_KEY"}},
                    "tools": [
                        {
                            "type": "client",
                            "name": "open_page",
                            "description": "Open a page.",
                            "expects_response": True,
                        },
                        {
                            "type": "webhook",
                            "name": "balance",
                            "description": "Look up the balance.",
                            "api_schema": {
                                "url": "https://bank.example/balance",
                                "request_headers": {"Authorization": {"secret_id": "BANK_KEY"}},
                            },
                        },
                    ],
                    "built_in_tools": {
                        "end_call": {"type": "system", "name": "end_call", "params": {"system_tool_type": "end_call"}}
                    },
                },
            },
            "tts": {"speed": 1.1},
            "language_presets": {
                "en": {"first_message_translation": {"text": "Hello!"}},
                "es": {"overrides": {"agent": {"prompt": {"prompt": "Sé breve."}}}},
            },
        },
        "platform_settings": {
            "auth": {"allowlist": [{"hostname": "shop.example"}]},
            "overrides": {"conversation_config_override": {"agent": {"language": True}}},
            "widget": {"variant": "compact", "btn_color": "#ff0000", "use_rtc": True, "language": "de"},
        },
    },
    Agent,
)


def app(*keys: str) -> Starlette:
    return Starlette(routes=routes(AGENTS | {"full": FULL}, ApiKeys(keys), Signatures(SECRET, lambda: NOW)))


# ---- the agent


def read(agent_id: str) -> GetAgentResponseModel:
    with client_of(app(KEY), KEY) as client:
        agent: GetAgentResponseModel = client.conversational_ai.agents.get(agent_id)
    return agent


def test_the_official_client_reads_an_agent() -> None:
    agent = read("full")
    assert (agent.agent_id, agent.name) == ("full", "Bia")
    assert agent.metadata.updated_at_unix_secs >= agent.metadata.created_at_unix_secs > 1_700_000_000
    config = agent.conversation_config
    assert config.agent
    assert config.agent.prompt
    assert (config.agent.first_message, config.agent.prompt.prompt) == ("Olá!", "Seja breve.")
    assert config.tts
    assert config.tts.speed == 1.1
    assert config.language_presets
    assert sorted(config.language_presets) == ["en", "es"]
    assert agent.platform_settings
    assert agent.platform_settings.auth
    assert agent.platform_settings.auth.allowlist
    assert agent.platform_settings.auth.allowlist[0].hostname == "shop.example"


def test_its_tools_are_of_their_kinds() -> None:
    prompt = read("full").conversation_config.agent
    assert prompt
    assert prompt.prompt
    assert prompt.prompt.tools
    assert [(tool.type, tool.model_dump()["name"]) for tool in prompt.prompt.tools] == [
        ("client", "open_page"),
        ("webhook", "balance"),
    ]
    assert prompt.prompt.built_in_tools
    assert prompt.prompt.built_in_tools.end_call
    assert prompt.prompt.built_in_tools.end_call.params.system_tool_type == "end_call"
    assert prompt.prompt.built_in_tools.skip_turn is None


def test_what_its_file_does_not_say_is_there_too() -> None:
    agent = read("open")
    assert agent.conversation_config.turn
    assert agent.conversation_config.turn.turn_timeout == 7.0
    assert agent.conversation_config.asr
    assert agent.conversation_config.asr.user_input_audio_format == "pcm_16000"
    assert agent.platform_settings
    assert agent.platform_settings.auth
    assert agent.platform_settings.auth.enable_auth is False


def test_it_is_the_agent_that_its_file_describes() -> None:
    answer = TestClient(app()).get("/v1/convai/agents/full").json()
    assert (answer.pop("agent_id"), set(answer.pop("metadata"))) == (
        "full",
        {"created_at_unix_secs", "updated_at_unix_secs"},
    )
    assert msgspec.convert(answer, Agent) == FULL


def test_of_secrets_it_tells_the_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FULL.secrets:
        monkeypatch.setenv(name, "hush")
    text = TestClient(app()).get("/v1/convai/agents/full").text
    assert all(name in text for name in ("LLM_KEY", "BANK_KEY"))
    assert "hush" not in text


@pytest.mark.parametrize(
    ("keys", "agent_id", "status_code", "status"),
    [
        ([KEY], "open", 401, "invalid_api_key"),
        ([KEY], "nobody", 401, "invalid_api_key"),
        ([], "nobody", 404, "agent_not_found"),
        ([], "private", 403, "api_keys_not_set"),
    ],
)
def test_the_official_client_is_told_why_not(keys: list[str], agent_id: str, status_code: int, status: str) -> None:
    with client_of(app(*keys), "unused") as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.agents.get(agent_id)
    assert (refusal.value.status_code, refusal.value.body["detail"]["status"]) == (status_code, status)


def test_a_private_agent_is_for_those_who_hold_a_key() -> None:
    assert read("private").name == "Rui"


def test_without_keys_public_agents_are_for_everybody() -> None:
    assert TestClient(app()).get("/v1/convai/agents/open").status_code == 200


# ---- the widget


def widget(agent_id: str) -> GetAgentEmbedResponseModel:
    with client_of(app(KEY), "none of the keys") as client:
        embed: GetAgentEmbedResponseModel = client.conversational_ai.agents.widget.get(agent_id)
    return embed


def test_the_official_client_reads_the_widget_without_a_key() -> None:
    embed = widget("full")
    config = embed.widget_config
    assert embed.agent_id == "full"
    assert (config.language, config.first_message) == ("pt", "Olá!")
    assert config.supported_language_overrides == ["en", "es"]
    assert config.language_presets
    greetings = {language: preset.first_message for language, preset in config.language_presets.items()}
    assert greetings == {"en": "Hello!", "es": "Olá!"}
    assert (config.variant, config.btn_color, config.placement) == ("compact", "#ff0000", "bottom-right")


def test_the_widget_is_never_sent_to_webrtc() -> None:
    assert widget("full").widget_config.use_rtc is False


@pytest.mark.parametrize(
    ("settings", "text_only", "supports_text_only"),
    [
        ({}, False, False),
        ({"conversation_config": {"conversation": {"text_only": True}}}, True, True),
        (
            {
                "platform_settings": {
                    "overrides": {"conversation_config_override": {"conversation": {"text_only": True}}}
                }
            },
            False,
            True,
        ),
    ],
)
def test_whether_the_widget_may_write_instead_of_speak(
    settings: dict[str, Any], text_only: bool, supports_text_only: bool
) -> None:
    agents = {"ana": msgspec.convert({"name": "Ana", **settings}, Agent)}
    answer = TestClient(Starlette(routes=routes(agents, ApiKeys(), None))).get("/v1/convai/agents/ana/widget")
    config = answer.json()["widget_config"]
    assert (config["text_only"], config["supports_text_only"]) == (text_only, supports_text_only)


def test_a_language_that_clients_may_not_choose_is_not_offered() -> None:
    assert widget("open").widget_config.supported_language_overrides == []


def signature(agent_id: str, secret: str = SECRET, now: float = NOW) -> str:
    return Signatures(secret, lambda: now).sign(agent_id, "conv_1")


def test_the_official_client_reads_a_private_agents_widget_by_a_signature_or_a_key() -> None:
    with client_of(app(KEY), "none of the keys") as client:
        for _ in range(2):  # to look uses nothing up
            embed = client.conversational_ai.agents.widget.get("private", conversation_signature=signature("private"))
            assert embed.agent_id == "private"
    with client_of(app(KEY), KEY) as client:
        assert client.conversational_ai.agents.widget.get("private").agent_id == "private"


@pytest.mark.parametrize(
    "conversation_signature",
    [
        None,
        "",
        signature("private")[:-1],
        signature("open"),
        signature("private", secret=SECRET[::-1]),
        signature("private", now=NOW - VALID_S),
    ],
)
@pytest.mark.parametrize("keys", [(KEY,), ()])
def test_to_others_a_private_agents_widget_says_nothing(keys: tuple[str, ...], conversation_signature: str) -> None:
    with client_of(app(*keys), "none of the keys") as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.agents.widget.get("private", conversation_signature=conversation_signature)
    assert (refusal.value.status_code, refusal.value.body["detail"]["status"]) == (401, "needs_authorization")
    assert refusal.value.body.keys() == {"detail"}


def test_where_nothing_is_signed_no_signature_is_believed() -> None:
    client = TestClient(Starlette(routes=routes(AGENTS, ApiKeys([KEY]), None)))
    query = {"conversation_signature": signature("private")}
    assert client.get("/v1/convai/agents/private/widget", params=query).status_code == 401


def test_the_widget_of_an_unknown_agent_is_not_found() -> None:
    answer = TestClient(app(KEY)).get("/v1/convai/agents/nobody/widget")
    assert answer.status_code == 404
    assert json.loads(answer.text)["detail"]["status"] == "agent_not_found"
