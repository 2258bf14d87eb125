from pathlib import Path

import pytest
from pydantic import ValidationError

from serve_app.errors import ConfigurationError
from serve_app.settings import GROQ_CHAT_MODEL, GROQ_URL, Settings, load_agents

DATABASE = {"DATABASE_URL": "postgresql://localhost/hello"}


def test_only_the_database_is_needed() -> None:
    settings = Settings.from_environment(DATABASE)
    assert settings.database_url == DATABASE["DATABASE_URL"]
    assert (settings.groq_api_key, settings.llm_api_key, settings.llm_base_url) == (None, None, None)
    assert (settings.groq_base_url, settings.llm_model) == (GROQ_URL, GROQ_CHAT_MODEL)


def test_each_setting_is_its_variable() -> None:
    environ = DATABASE | {
        "GROQ_API_KEY": "gsk_1",
        "GROQ_BASE_URL": "http://127.0.0.1:9",
        "LLM_BASE_URL": "http://127.0.0.1:8/v1",
        "LLM_API_KEY": "key_2",
        "LLM_MODEL": "small",
    }
    settings = Settings.from_environment(environ)
    assert settings.groq_api_key is not None
    assert settings.groq_api_key.get_secret_value() == "gsk_1"
    assert settings.llm_api_key is not None
    assert settings.llm_api_key.get_secret_value() == "key_2"
    assert settings.groq_base_url == "http://127.0.0.1:9"
    assert settings.llm_base_url == "http://127.0.0.1:8/v1"
    assert settings.llm_model == "small"


def test_empty_means_not_set() -> None:
    settings = Settings.from_environment(DATABASE | {"GROQ_API_KEY": "", "LLM_MODEL": ""})
    assert settings.groq_api_key is None
    assert settings.llm_model == GROQ_CHAT_MODEL


def test_variables_of_others_are_theirs() -> None:
    assert Settings.from_environment(DATABASE | {"PATH": "/bin", "database_url": "lower case is another name"})


@pytest.mark.parametrize("environ", [{}, {"DATABASE_URL": ""}])
def test_what_is_missing_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        Settings.from_environment(environ)


def test_keys_are_not_shown() -> None:
    settings = Settings.from_environment(DATABASE | {"GROQ_API_KEY": "gsk_secret", "LLM_API_KEY": "sk_secret"})
    assert "secret" not in f"{settings!r} {settings}"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.from_environment(DATABASE).llm_model = "other"


# ---- agents


def test_the_shipped_agent_is_there_and_speaks() -> None:
    agents = load_agents()
    assert agents["default"].conversation_config.agent.first_message


def test_an_agents_id_is_its_files_name(tmp_path: Path) -> None:
    (tmp_path / "ana.yaml").write_text("name: Ana\n")
    (tmp_path / "rui.yaml").write_text("name: Rui\nconversation_config: {agent: {language: en, first_message: Olá!}}\n")
    (tmp_path / "notes.txt").write_text("not an agent")
    agents = load_agents(tmp_path)
    assert {agent_id: agent.name for agent_id, agent in agents.items()} == {"ana": "Ana", "rui": "Rui"}
    assert agents["rui"].conversation_config.agent.first_message == "Olá!"


def test_a_folder_without_agents_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"AGENT_ID\.yaml"):
        load_agents(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: Ana\nvoice: v1\n", "voice"),
        ("name: Ana\nconversation_config: {agent: {first_mesage: Hi}}\n", "first_mesage"),
        ("name: Ana\nconversation_config: {asr: {user_input_audio_format: mp3_44100}}\n", "mp3_44100"),
        ("name: Ana\nconversation_config: {tts: {agent_output_audio_format: pcm_11025}}\n", "pcm_11025"),
        ("conversation_config: {}\n", "name"),
        ("name: [1]\n", "name"),
        ("name: Ana: Maria\n", "line 1"),
        ("", "object"),
    ],
)
def test_a_mistake_in_an_agent_is_named_with_its_file(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "ana.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=complaint) as mistake:
        load_agents(tmp_path)
    assert "ana.yaml" in mistake.value.message


def test_an_agent_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "ana.yaml").write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"ana\.yaml"):
        load_agents(tmp_path)
