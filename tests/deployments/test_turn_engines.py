import sys
from pathlib import Path

import pytest

from deployments.smart_turn import find_weights
from deployments.turn_engines import TurnEngines, choose_engine
from deployments.turn_rules import TurnRules
from serve_app.errors import ConfigurationError
from serve_app.ports import Judgement, Question


class Fixed:
    """Always the same judgement."""

    def __init__(self, name: str, score: float) -> None:
        self._name, self._judgement = name, Judgement(score, score)

    def judge(self, question: Question) -> Judgement:
        return self._judgement

    def describe(self) -> str:
        return self._name


def test_each_is_asked_about_what_it_knows() -> None:
    engines = TurnEngines(Fixed("one", 0.1), Fixed("another", 0.9))
    assert engines.judge(Question(b"")).turn_end == 0.1
    assert engines.judge(Question(b"", overlap=True)).turn_end == 0.9
    assert engines.describe() == "pauses: one; overlaps: another"


def test_the_model_judges_where_it_is_installed() -> None:
    try:
        find_weights()
    except ConfigurationError as e:
        pytest.skip(str(e))
    described = choose_engine({}).describe()
    assert described.startswith("pauses: smart-turn v3.2; overlaps: ")
    assert "pip install" not in described


def test_what_is_wanted_and_does_not_work_is_told_and_another_judges() -> None:
    engine = choose_engine({"ULTRAVAD_MODEL": "/no/such/folder"})
    assert "ULTRAVAD_MODEL" in engine.describe()
    assert not engine.describe().startswith("pauses: UltraVAD")
    assert engine.judge(Question(bytes(64_000))).turn_end > 0.9


def test_the_rules_judge_where_it_is_not_and_say_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    engine = choose_engine({})
    monkeypatch.undo()
    assert engine.describe().startswith(f"pauses: {TurnRules().describe()}; overlaps: ")
    assert engine.describe().endswith(
        "smart-turn is not installed: pip install --no-deps pipecat-ai==1.14.0 brings it, 12 MB"
    )
    assert "smart-turn is not installed" in caplog.text
    silence = Question(bytes(64_000))
    assert engine.judge(silence) == TurnRules().judge(silence)
