from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.serve_config.files import CONFIGS
from serve_app.serve_config.longest_call import DEFAULT_CALL_S, longest_call_s


def test_the_longest_of_all_agents(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text("conversation_config: {conversation: {max_duration_seconds: 60}}\nname: a\n")
    (tmp_path / "long.yaml").write_text("conversation_config: {conversation: {max_duration_seconds: 1800}}\n")
    (tmp_path / "default.yaml").write_text("name: b\nplatform_settings: {call_limits: {}}\n")
    assert longest_call_s(tmp_path) == 1800
    (tmp_path / "long.yaml").unlink()
    assert longest_call_s(tmp_path) == DEFAULT_CALL_S == 600


def test_without_agents_it_is_what_one_has_by_default(tmp_path: Path) -> None:
    assert longest_call_s(tmp_path) == DEFAULT_CALL_S
    assert longest_call_s(CONFIGS / "agents") == 600


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read the agents in .*nowhere: No such file"):
        longest_call_s(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["long.yml", "long.json"])
def test_a_file_that_no_replica_would_take_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{conversation_config: {conversation: {max_duration_seconds: 1800}}}\n")
    with pytest.raises(ConfigurationError, match=f"rename {name} in"):
        longest_call_s(tmp_path)


@pytest.mark.parametrize(
    "text", ["conversation_config: {conversation: {max_duration_seconds: soon}}\n", "conversation_config: [1\n", "3\n"]
)
def test_a_file_that_is_no_agents_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"odd\.yaml"):
        longest_call_s(tmp_path)
