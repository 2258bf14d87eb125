import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st

from deployments.ultravad import LAST_CHARACTERS, UltraVad, chat, find_model, score
from serve_app.errors import ConfigurationError
from serve_app.ports import Message
from tests.fakes.hub_server import FakeHub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def agent(text: str) -> Message:
    return Message("assistant", text)


def caller(text: str) -> Message:
    return Message("user", text)


class TestScore:
    def test_the_models_threshold_is_ours(self) -> None:
        assert score(0.1) == pytest.approx(0.5)

    def test_certainty_stays_certainty(self) -> None:
        assert (score(0.0), score(1.0)) == (0.0, 1.0)

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_the_likelier_end_scores_higher(self, one: float, other: float) -> None:
        assert 0 <= score(one) <= 1
        assert (score(one) <= score(other)) or one > other


class TestChat:
    def test_the_audio_answers_what_was_said_last(self) -> None:
        assert chat([caller("Bom dia."), agent("Qual o seu CPF?")]) == [
            {"role": "user", "content": "Bom dia."},
            {"role": "assistant", "content": "Qual o seu CPF?"},
            {"role": "user", "content": "<|audio|>"},
        ]

    def test_the_audio_goes_on_where_the_caller_was_interrupted(self) -> None:
        assert chat([caller("Eu queria")]) == [{"role": "user", "content": "Eu queria <|audio|>"}]

    def test_before_anything_was_said_there_is_only_the_audio(self) -> None:
        assert chat([]) == [{"role": "user", "content": "<|audio|>"}]

    def test_only_what_was_spoken_is_read(self) -> None:
        dialogue = [Message("system", "Be brief."), agent("Um momento."), Message("tool", "{}"), agent("")]
        assert [turn["content"] for turn in chat(dialogue)] == ["Um momento.", "<|audio|>"]

    def test_a_long_dialogue_is_read_by_its_end(self) -> None:
        turns = chat([agent(f"{number} " * LAST_CHARACTERS) for number in range(50)])
        assert [turn["content"][-2:] for turn in turns[:-1]] == ["6 ", "7 ", "8 ", "9 "]
        assert all(len(turn["content"]) == LAST_CHARACTERS for turn in turns[:-1])

    @given(st.lists(st.text(st.sampled_from("<|audioe_t>"), max_size=40)))
    def test_nothing_that_was_said_is_taken_for_a_mark(self, said: list[str]) -> None:
        turns = chat([agent(text) for text in said])
        assert sum(turn["content"].count("<|") for turn in turns) == 1


class TestFindModel:
    def test_none_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="ULTRAVAD_MODEL is not set"):
            find_model({})

    def test_a_folder_is_trusted(self, tmp_path: Path) -> None:
        assert find_model({"ULTRAVAD_MODEL": str(tmp_path)}) == tmp_path

    @pytest.mark.parametrize("revision", ["", "main", "v1.0", COMMIT[:7], COMMIT.upper()])
    def test_code_of_a_hub_is_run_from_a_whole_commit_only(self, revision: str, tmp_path: Path) -> None:
        cached(tmp_path, revision or "main")
        with pytest.raises(ConfigurationError, match="ULTRAVAD_REVISION"):
            find_model({"ULTRAVAD_MODEL": "acme/ultravad", "ULTRAVAD_REVISION": revision}, tmp_path)

    def test_a_commit_in_the_cache_is_found(self, tmp_path: Path) -> None:
        folder = cached(tmp_path, COMMIT)
        named = {"ULTRAVAD_MODEL": "acme/ultravad", "ULTRAVAD_REVISION": COMMIT}
        assert find_model(named, tmp_path) == folder

    def test_another_commit_is_not_taken_for_it(self, tmp_path: Path) -> None:
        cached(tmp_path, COMMIT[::-1])
        named = {"ULTRAVAD_MODEL": "acme/ultravad", "ULTRAVAD_REVISION": COMMIT}
        with pytest.raises(ConfigurationError, match=f"hf download acme/ultravad --revision {COMMIT}"):
            find_model(named, tmp_path)

    def test_code_is_never_downloaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        named = {"ULTRAVAD_MODEL": "acme/ultravad", "ULTRAVAD_REVISION": COMMIT}
        with FakeHub({"acme/ultravad": {"config.json": b"{}"}}) as hub:
            monkeypatch.setattr(constants, "ENDPOINT", hub.url)
            with pytest.raises(ConfigurationError, match="not on this machine"):
                find_model(named, tmp_path)
        assert not hub.received

    def test_a_folder_that_is_not_there_is_no_name_on_a_hub(self, tmp_path: Path) -> None:
        named = {"ULTRAVAD_MODEL": str(tmp_path / "absent"), "ULTRAVAD_REVISION": COMMIT}
        with pytest.raises(ConfigurationError, match="neither a folder nor a name"):
            find_model(named, tmp_path)

    @pytest.mark.parametrize(
        "settings",
        [
            {"auto_map": {"AutoModel": "other/code--model.Model"}},
            {"auto_map": {"AutoTokenizer": ["other/code--words.Slow", None]}},
            {"custom_pipelines": {"ultravox-pipeline": {"impl": "other/code--pipeline.Pipeline"}}},
        ],
    )
    @pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
    def test_code_that_no_commit_fixes_is_refused(self, settings: Any, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text(json.dumps(settings).replace("-", "\\u002d"))
        with pytest.raises(ConfigurationError, match="another repository"):
            find_model({"ULTRAVAD_MODEL": str(tmp_path)})

    def test_half_a_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text('{"model_type": "ultr')
        with pytest.raises(ConfigurationError, match=r"config\.json is not JSON"):
            find_model({"ULTRAVAD_MODEL": str(tmp_path)})


def cached(cache: Path, revision: str) -> Path:
    folder = cache / "models--acme--ultravad" / "snapshots" / revision
    folder.mkdir(parents=True)
    return folder


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is here")
def test_what_it_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"UltraVAD lacks torch\. Its replicas need torch, "):
        UltraVad({"ULTRAVAD_MODEL": str(tmp_path)})
