"""Agents' files: what is read, and what a mistake in one is told as."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from serve_app.agent_files import load_agents
from serve_app.conversation import overrides
from serve_app.conversation.agent import Agent
from serve_app.conversation.unserved import AGENT, NoEffect, Unserved
from serve_app.errors import ConfigurationError, OverrideError
from serve_app.settings import AGENTS

TRANSFER = """
name: Ana
conversation_config:
  agent:
    prompt:
      built_in_tools:
        transfer_to_agent:
          name: transfer_to_agent
          params: { system_tool_type: transfer_to_agent, transfers: [{ agent_id: rui, condition: to pay }] }
"""


def load(folder: Path, text: str | bytes, **environ: str) -> Agent:
    content = text.encode() if isinstance(text, str) else text
    (folder / "ana.yaml").write_bytes(content)
    return load_agents(folder, environ)["ana"]


def complaint(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as mistake:
        load(folder, text)
    assert f"agent file {folder / 'ana.yaml'}:" in mistake.value.message
    return mistake.value.message


# ---- the folder


def test_the_shipped_agents_load_and_greet_each_in_both_languages() -> None:
    agents = load_agents(AGENTS, {})
    assert agents.keys() == {"default", "english"}
    greetings = {
        (agent_id, language): overrides.in_language(agent, language).conversation_config.agent.first_message
        for agent_id, agent in agents.items()
        for language in ("pt", "en")
    }
    assert greetings["default", "pt"] == greetings["english", "pt"]
    assert greetings["default", "en"] == greetings["english", "en"]
    assert greetings["default", "pt"].startswith("Olá!")
    assert greetings["default", "en"].startswith("Hello!")


@pytest.mark.parametrize("agent_id", ["default", "english"])
def test_the_shipped_agents_offer_what_a_client_needs_and_keep_the_prompt(agent_id: str) -> None:
    agent = load_agents(AGENTS, {})[agent_id]
    assert {"agent_response_correction", "client_tool_call", "tentative_user_transcript"} <= agent.client_events
    assert agent.tools.keys() == {"end_call", "skip_turn", "language_detection"}
    assert overrides.apply(agent, {"text_only": True}).conversation_config.conversation.text_only
    for kept in ("prompt", "llm", "tool_ids"):
        with pytest.raises(OverrideError, match="does not permit"):
            overrides.apply(agent, {"agent": {"prompt": {kept: ["other"]}}})


def test_an_agents_id_is_its_files_name(tmp_path: Path) -> None:
    (tmp_path / "ana.yaml").write_text("name: Ana\n")
    (tmp_path / "rui-2_b.yaml").write_text(
        "name: Rui\nconversation_config: {agent: {language: en, first_message: Olá!}}\n"
    )
    (tmp_path / "notes.txt").write_text("not an agent")
    agents = load_agents(tmp_path, {})
    assert {agent_id: agent.name for agent_id, agent in agents.items()} == {"ana": "Ana", "rui-2_b": "Rui"}
    assert agents["rui-2_b"].conversation_config.agent.first_message == "Olá!"


@pytest.mark.parametrize("name", ["ana maria", "ana.b", "maçã", "ana\n"])
def test_an_id_is_made_of_plain_letters(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.yaml").write_text("name: Ana\n")
    with pytest.raises(ConfigurationError, match="rename the file"):
        load_agents(tmp_path, {})


def test_a_folder_without_agents_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"AGENT_ID\.yaml"):
        load_agents(tmp_path, {})


@pytest.mark.parametrize("name", ["rui.yml", "rui.json"])
def test_a_file_that_would_be_passed_over_is_to_be_renamed(tmp_path: Path, name: str) -> None:
    (tmp_path / "ana.yaml").write_text("name: Ana\n")
    (tmp_path / name).write_text('{"name": "Rui"}')
    with pytest.raises(ConfigurationError, match=rf"AGENT_ID\.yaml: rename {name} in .*JSON is YAML"):
        load_agents(tmp_path, {})


# ---- the file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: Ana\nvoice: v1\n", "voice"),
        ("name: Ana\nconversation_config: {agent: {first_mesage: Hi}}\n", "first_mesage"),
        ("conversation_config: {}\n", "name"),
        ("name: [1]\n", "name"),
        ("name: Ana: Maria\n", "line 1"),
        ("", "object"),
        ("- name: Ana\n", "object"),
        ("name: Ana\n---\nname: Rui\n", "single document"),
        ("name: &a [*a]\n", "name"),
        (b"name: \xff\xfe\n", "utf-8"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in complaint(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "name: Ana\nname: Rui\n",
        "name: Ana\nconversation_config: {tts: {voice_id: a, speed: 1, voice_id: b}}\n",
        "name: Ana\nplatform_settings: {widget: {1: a, '1': b}}\n",
        "name: Ana\nplatform_settings: {widget: {? [a] : b}}\n",
    ],
)
def test_a_key_is_text_and_stands_once(tmp_path: Path, text: str) -> None:
    message = complaint(tmp_path, text)
    assert "a key is text, and stands once" in message
    assert "line" in message


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("00551", "00551"),
        ("+5511999990000", "+5511999990000"),
        ("2026-11-22", "2026-11-22"),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ("1", 1),
        ("-2.5", -2.5),
        ("1e3", 1000.0),
        ("true", True),
    ],
)
def test_values_are_those_of_json_and_else_text(tmp_path: Path, written: str, value: Any) -> None:
    read = load(tmp_path, f"name: Ana\nplatform_settings:\n  widget:\n    x: {written}\n").platform_settings.widget["x"]
    assert (read, type(read)) == (value, type(value))


def test_norwegian_is_a_language(tmp_path: Path) -> None:
    agent = load(tmp_path, "name: Ana\nconversation_config: {language_presets: {no: {}}}\n")
    assert agent.languages == ["pt", "no"]


def test_json_is_yaml(tmp_path: Path) -> None:
    assert load(tmp_path, json.dumps({"name": "Ana", "platform_settings": {"widget": {"a": None}}})).name == "Ana"


def test_what_the_server_answers_for_an_agent_loads_again(tmp_path: Path) -> None:
    (shipped,) = (agent for agent_id, agent in load_agents(AGENTS, {}).items() if agent_id == "default")
    answered = {"agent_id": "ana", "metadata": {"created_at_unix_secs": 1}, **msgspec.to_builtins(shipped)}
    assert load(tmp_path, json.dumps(answered)) == shipped
    assert "agent_id is not supported here" in complaint(tmp_path, json.dumps({**answered, "agent_id": "rui"}))


def test_all_that_is_not_served_is_told_at_once(tmp_path: Path) -> None:
    message = complaint(
        tmp_path,
        """
        name: Ana
        conversation_config:
          asr: { provider: scribe_realtime }
          agent: { prompt: { knowledge_base: [{ id: k1 }] } }
        platform_settings: { privacy: { zero_retention_mode: true } }
        """,
    )
    assert message.count("is not supported here: ") == 3
    assert "\n  conversation_config.asr.provider is not supported here: " in message


def test_all_that_cannot_work_is_told_at_once(tmp_path: Path) -> None:
    message = complaint(
        tmp_path,
        """
        name: Ana
        conversation_config:
          asr: { user_input_audio_format: mp3_44100 }
          tts: { agent_output_audio_format: pcm_11025 }
        """,
    )
    assert "asr.user_input_audio_format: audio format 'mp3_44100'" in message
    assert "tts.agent_output_audio_format: audio format 'pcm_11025'" in message


def test_each_stage_ends_the_check(tmp_path: Path) -> None:
    """As docs/agents.md says: refused fields, then the first wrong value, then what cannot work."""
    refused, wrong = "asr: { provider: scribe_realtime }", "tts: { speed: 9, stability: 9 }"
    useless = 'agent: { first_message: "{{", language: xx }'
    config = "name: Ana\nconversation_config: {"
    message = complaint(tmp_path, f"{config} {refused}, {wrong}, {useless} }}")
    assert ("asr.provider" in message, "tts" in message) == (True, False)
    message = complaint(tmp_path, f"{config} {wrong}, {useless} }}")
    assert ("tts" in message, "language" in message) == (True, False)
    assert message.count("Expected") == 1
    message = complaint(tmp_path, f"{config} {useless} }}")
    assert "agent.language: " in message
    assert "agent.first_message: " in message


def test_secrets_are_looked_up_in_the_environment(tmp_path: Path) -> None:
    own = "custom_llm: {url: 'https://x.example/v1', api_key: {secret_id: MY_KEY}}"
    text = f"name: Ana\nconversation_config: {{agent: {{prompt: {{{own}}}}}}}\n"
    assert load(tmp_path, text, MY_KEY="k").secrets == {"MY_KEY"}
    assert "the secret MY_KEY is not set" in complaint(tmp_path, text)


def test_a_transfer_goes_to_an_agent_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "ruy.yaml").write_text("name: Ruy\n")
    assert "there is no agent 'rui' (did you mean 'ruy'?)" in complaint(tmp_path, TRANSFER)
    (tmp_path / "rui.yaml").write_text("name: Rui\n")
    assert load(tmp_path, TRANSFER).transfers_to == {"rui"}


@pytest.mark.parametrize(
    "config",
    [
        "asr: {user_input_audio_format: ulaw_8000}",
        "tts: {agent_output_audio_format: pcm_24000}",
        "conversation: {text_only: true}",
    ],
)
def test_a_transfer_cannot_change_the_line(tmp_path: Path, config: str) -> None:
    (tmp_path / "rui.yaml").write_text(f"name: Rui\nconversation_config: {{{config}}}\n")
    field = config.partition("{")[2].partition(":")[0]
    assert f"transfers: rui differs in {field}" in complaint(tmp_path, TRANSFER)


# ---- an agent exported from ElevenLabs


EXPORTED = (Path(__file__).parent / "exported_agent.yaml").read_text(encoding="utf-8")


def test_an_exported_agent_of_modest_wishes_loads(tmp_path: Path) -> None:
    agent = load(tmp_path, EXPORTED)
    assert list(agent.tools) == ["end_call"]  # none of tool_ids: the list is empty
    assert agent.conversation_config.agent.prompt.tools[0].name == "show_map"
    assert overrides.in_language(agent, "en").conversation_config.agent.first_message == "Hi."


def test_each_of_its_wishes_is_refused_when_it_is_not_modest(tmp_path: Path) -> None:
    """Every unserved field that the export holds, one after the other, with a value that it may not have."""
    exported = yaml.safe_load(EXPORTED.replace("off", "'off'"))
    tried = 0
    for section, key in places(exported, AGENT):
        kept = section[key]
        section[key] = "what nobody serves"
        assert f"{key} is not supported here: " in complaint(tmp_path, json.dumps(exported))
        section[key] = kept
        tried += 1
    assert tried >= 40


def places(document: Any, shape: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = enumerate(document) if isinstance(document, list) else (document or {}).items()
    for key, value in items:
        below = shape.get(key, shape.get("*"))
        if isinstance(below, Unserved):
            found.append((document, key))
        elif below is not None and not isinstance(below, NoEffect):
            found += places(value, below)
    return found
