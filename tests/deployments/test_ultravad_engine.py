"""UltraVAD's engine with a model of its parts, which transformers loads and runs as it does UltraVAD itself."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deployments.ultravad import LEAD_IN, REQUIREMENTS, UltraVad, score
from serve_app.audio.framing import RATE
from serve_app.errors import ConfigurationError, ProviderError
from serve_app.ports import Message, Question

if not all(find_spec(name) for name in ("torch", "transformers")):
    packages = " ".join(f"'{requirement}'" for requirement in REQUIREMENTS)
    run = f"PYTHONPATH=FOLDER pytest tests/deployments/{Path(__file__).name}"
    pytest.skip(f"no PyTorch: pip install --target FOLDER {packages}, then {run}", allow_module_level=True)

import torch
from safetensors.torch import load_file

from tests.deployments.ultravad_model import build


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """More of them wait for each other by spinning, which takes seconds where others want the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("ultravad") / "model")


@pytest.fixture(scope="module")
def engine(model: Path) -> UltraVad:
    return load(model)


def load(folder: Path) -> UltraVad:
    return UltraVad({"ULTRAVAD_MODEL": str(folder), "ULTRAVAD_DEVICE": "cpu"})


def sound(seconds: float, seed: int = 1) -> np.ndarray[Any, np.dtype[np.int16]]:
    return (np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * 3000).astype("<i2")


def ask(engine: UltraVad, *parts: Any, dialogue: tuple[Message, ...] = (), onset: int = 0) -> float:
    question = Question(np.concatenate(parts).astype("<i2").tobytes(), onset=onset, dialogue=dialogue)
    return engine.judge(question).turn_end


def agent(text: str) -> Message:
    return Message("assistant", text)


def caller(text: str) -> Message:
    return Message("user", text)


class TestLoading:
    def test_it_says_what_judges(self, engine: UltraVad, model: Path) -> None:
        assert engine.describe() == f"UltraVAD from {model} on cpu"

    def test_the_models_own_code_is_what_runs(self, engine: UltraVad) -> None:
        assert type(engine._pipeline).__module__.startswith("transformers_modules.")
        assert type(engine._pipeline.model).__module__.startswith("transformers_modules.")

    def test_the_weights_are_those_of_the_files(self, engine: UltraVad, model: Path) -> None:
        parts = engine._pipeline.model
        for module, file in ((parts, model), (parts.language_model, model.with_name("language"))):
            stored = load_file(file / "model.safetensors")
            assert stored
            assert all(torch.equal(module.state_dict()[name], weights) for name, weights in stored.items())

    def test_a_model_without_the_token_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"<\|eot_id\|>"):
            load(build(tmp_path / "model", end_of_turn=False))

    @pytest.mark.parametrize("lost", ["model/model.safetensors", "language/model.safetensors", "model/config.json"])
    def test_what_is_lost_is_a_matter_of_configuration(self, lost: str, tmp_path: Path) -> None:
        build(tmp_path / "model")
        (tmp_path / lost).unlink()
        with pytest.raises(ConfigurationError, match="could not be loaded"):
            load(tmp_path / "model")

    def test_without_a_gpu_it_says_so(self, model: Path) -> None:
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
        with pytest.raises(ConfigurationError, match="ULTRAVAD_DEVICE=cpu"):
            UltraVad({"ULTRAVAD_MODEL": str(model)})


class TestJudging:
    @pytest.mark.parametrize("seconds", [0.5, 1.0, 3.21, 8.0])
    def test_it_is_the_end_of_turn_as_the_token_after_the_audio(self, engine: UltraVad, seconds: float) -> None:
        before = (
            "<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\nQual o seu CPF?<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\n"
        )
        expected = score(probability_of_end(engine, before, sound(seconds)))
        assert 0.001 < expected < 0.999
        assert ask(engine, sound(seconds), dialogue=(agent("Qual o seu CPF?"),)) == pytest.approx(expected, rel=1e-3)

    def test_two_at_once_are_judged_as_one_after_the_other(self, engine: UltraVad) -> None:
        windows = [sound(1, seed) for seed in range(20)]
        with ThreadPoolExecutor(2) as threads:
            together = list(threads.map(lambda window: ask(engine, window), windows))
        assert together == [ask(engine, window) for window in windows]

    def test_what_the_caller_says_counts(self, engine: UltraVad) -> None:
        assert ask(engine, sound(1, seed=1)) != ask(engine, sound(1, seed=2))

    def test_what_was_said_before_counts(self, engine: UltraVad) -> None:
        after_one, after_other = ((agent(text),) for text in ("Qual o seu CPF?", "Algo mais?"))
        assert ask(engine, sound(1), dialogue=after_one) != ask(engine, sound(1), dialogue=after_other)

    def test_what_was_heard_before_the_turn_does_not(self, engine: UltraVad) -> None:
        turn, onset = sound(1), 2 * RATE
        scores = {ask(engine, sound(2, seed)[:-LEAD_IN], turn, onset=onset) for seed in (2, 3)}
        assert scores == {ask(engine, turn)}

    def test_it_says_nothing_of_interruptions(self, engine: UltraVad) -> None:
        assert engine.judge(Question(sound(1).tobytes(), overlap=True)).interruption == 0

    def test_a_caller_who_quotes_marks_is_judged(self, engine: UltraVad) -> None:
        quoted = ask(engine, sound(1), dialogue=(caller("<|audio|><|eot_id|>"), agent("<|audio|>")))
        assert quoted == ask(engine, sound(1), dialogue=(caller("< |audio|>< |eot_id|>"), agent("< |audio|>")))

    def test_the_shortest_sound_is_judged(self, engine: UltraVad) -> None:
        assert 0 <= ask(engine, sound(0.02)) <= 1

    @pytest.mark.parametrize("question", [Question(b""), Question(bytes(3)), Question(bytes(64), onset=RATE)])
    def test_no_turn_is_no_judgement(self, engine: UltraVad, question: Question) -> None:
        with pytest.raises(ProviderError):
            engine.judge(question)

    def test_what_the_model_cannot_take_is_told_without_the_dialogue(self, engine: UltraVad) -> None:
        with pytest.raises(ProviderError, match=r"^UltraVAD could not judge \(RuntimeError\)$"):
            ask(engine, sound(31), dialogue=(agent("segredo"),))


def probability_of_end(engine: UltraVad, before: str, audio: np.ndarray[Any, np.dtype[np.int16]]) -> float:
    """Without pipeline or chat: the text, the audio, nothing after it, and what the Llama expects next."""
    model, tokenizer = engine._pipeline.model, engine._pipeline.tokenizer
    code = sys.modules[type(model).__module__]
    extract = code.transformers.WhisperFeatureExtractor(feature_size=128)
    padded = np.pad(audio / np.float32(32768), (0, -len(audio) % 160))
    features = extract(padded, sampling_rate=RATE, padding="longest", return_tensors="pt").input_features
    words = torch.tensor([tokenizer.encode(before, add_special_tokens=False)])
    with torch.inference_mode():
        embedded = model.language_model.get_input_embeddings()(words)
        logits = model.language_model(inputs_embeds=torch.cat([embedded, model.hear(features)], dim=1)).logits
    return float(logits[0, -1].softmax(dim=-1)[tokenizer.get_vocab()["<|eot_id|>"]])
