from typing import Any

import msgspec
import pytest

from serve_app.conversation.agent import Agent
from serve_app.conversation.overrides import OVERRIDABLE, apply, check_extra_body
from serve_app.errors import OverrideError
from tests.conversation.override_samples import VALUES, Tree, agent, merged, nested


def at(agent: Agent, path: str) -> Any:
    value: Any = agent.conversation_config
    for name in path.split("."):
        value = getattr(value, name)
    return list(value) if isinstance(value, tuple) else value


def test_there_is_an_example_of_every_path() -> None:
    assert VALUES.keys() == OVERRIDABLE


@pytest.mark.parametrize("path", sorted(OVERRIDABLE))
def test_what_is_permitted_is_overridden(path: str) -> None:
    plain, changed = agent(path), apply(agent(path), nested(path, VALUES[path]))
    assert at(changed, path) == VALUES[path]
    assert all(at(changed, other) == at(plain, other) for other in OVERRIDABLE - {path})
    assert changed.platform_settings == plain.platform_settings


@pytest.mark.parametrize("path", sorted(OVERRIDABLE))
def test_what_is_not_permitted_is_refused_by_name(path: str) -> None:
    with pytest.raises(OverrideError, match=f"^{path}: this agent does not permit") as refusal:
        apply(agent(*(OVERRIDABLE - {path})), nested(path, VALUES[path]))
    assert (refusal.value.close_code, refusal.value.error_type) == (1008, "override_error")


def test_all_that_is_not_permitted_is_named() -> None:
    with pytest.raises(OverrideError, match=r"^agent\.prompt\.prompt, tts\.voice_id: "):
        apply(agent("tts.speed"), merged(*(nested(path, VALUES[path]) for path in sorted(OVERRIDABLE) if path in (
            "agent.prompt.prompt", "tts.voice_id", "tts.speed"))))  # fmt: skip


def test_only_true_is_a_permission() -> None:
    permissions = {"agent": {"first_message": False}, "tts": {"voice_id": "yes"}}
    plain = agent()
    overrides = msgspec.structs.replace(plain.platform_settings.overrides, conversation_config_override=permissions)
    plain = msgspec.structs.replace(
        plain, platform_settings=msgspec.structs.replace(plain.platform_settings, overrides=overrides)
    )
    for path in ("agent.first_message", "tts.voice_id"):
        with pytest.raises(OverrideError, match=path):
            apply(plain, nested(path, VALUES[path]))


@pytest.mark.parametrize(
    "override",
    [
        {},
        {"agent": {}, "tts": {}, "conversation": {}},  # as the JavaScript client sends it
        {"agent": {"prompt": {}}, "turn": {"soft_timeout_config": {}}},
        {"agent": {"first_message": None, "prompt": {"prompt": None}}},
        {"agent": {"first_message": "Oi.", "language": "pt"}, "tts": {"speed": 1.1}, "asr": {"keywords": ["Tucano"]}},
        {"text_only": False},
        {"agent": {"prompt": {"knowledge_base": [], "native_mcp_server_ids": [], "tool_ids_strict": True}}},
    ],
)
def test_what_asks_for_nothing_needs_no_permission(override: Tree) -> None:
    assert apply(agent(), override) == agent()


def test_text_only_may_stand_at_the_top_as_python_sends_it() -> None:
    changed = apply(agent("conversation.text_only"), {"text_only": True})
    assert changed.conversation_config.conversation.text_only
    with pytest.raises(OverrideError, match=r"^conversation\.text_only: "):
        apply(agent(), {"text_only": True})


def test_of_two_places_for_text_only_the_newer_counts() -> None:
    changed = apply(agent("conversation.text_only"), {"text_only": False, "conversation": {"text_only": True}})
    assert changed.conversation_config.conversation.text_only


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("tts.speed", 3.0, r"<= 1\.2 - at `\$\.tts\.speed`"),
        ("tts.stability", "high", r"\$\.tts\.stability"),
        ("conversation.max_duration_seconds", 0, r"\$\.conversation\.max_duration_seconds"),
        ("agent.language", "klingon!", r"\$\.agent\.language"),
        ("agent.prompt.reasoning_effort", "heroic", r"\$\.agent\.prompt\.reasoning_effort"),
        ("agent.first_message", 5, r"\$\.agent\.first_message"),
        ("agent.prompt.tool_ids", ["show_map", "drop_table"], r"no tool named drop_table"),
    ],
)
def test_a_value_must_be_one_that_a_file_may_have(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(OverrideError, match=complaint):
        apply(agent(path), nested(path, value))


def test_client_events_of_newer_clients_are_no_mistake() -> None:
    changed = apply(agent("conversation.client_events"), {"conversation": {"client_events": ["audio", "hologram"]}})
    assert changed.client_events == {"audio", "hologram"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("agent.prompt.knowledge_base", [{"id": "k1"}]),
        ("agent.prompt.native_mcp_server_ids", ["m1"]),
        ("agent.native_mcp_server_ids", ["m1"]),
        ("tts.pronunciation_dictionary_locators", [{"id": "p1"}]),
        ("turn.mode", "silence"),
    ],
)
def test_what_is_not_served_is_refused_with_the_reason(path: str, value: Any) -> None:
    with pytest.raises(OverrideError, match=f"^{path} is not supported here: "):
        apply(agent(*OVERRIDABLE), nested(path, value))


@pytest.mark.parametrize("path", ["tts.agent_output_audio_format", "agent.prompt.temperature", "conversation"])
def test_the_rest_of_an_agent_cannot_be_overridden(path: str) -> None:
    with pytest.raises(OverrideError, match=f"^{path}: cannot be overridden"):
        apply(agent(path, *OVERRIDABLE) if "." in path else agent(), nested(path, 1))


# ---- the custom model's extra body


OWN_MODEL = {"url": "https://models.example/v1"}


def test_an_extra_body_is_for_agents_that_permit_it_and_have_a_model_of_their_own() -> None:
    check_extra_body(agent(), {})
    check_extra_body(agent(custom_llm=OWN_MODEL, extra_body=True), {"top_k": 5})
    with pytest.raises(OverrideError, match="does not permit"):
        check_extra_body(agent(custom_llm=OWN_MODEL), {"top_k": 5})
    with pytest.raises(OverrideError, match="no custom_llm"):
        check_extra_body(agent(extra_body=True), {"top_k": 5})
