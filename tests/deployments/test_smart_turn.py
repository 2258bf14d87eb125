import importlib.util
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.smart_turn import PACKAGE, VERSION, WINDOW_S, SmartTurn, find_weights
from deployments.turn_rules import TurnRules, wave_of
from serve_app.errors import ConfigurationError, ProviderError
from serve_app.ports import Question
from tests.espeak import RATE

ROOT = Path(__file__).parents[2]
AUDIO = ROOT.parent / "shared" / "audio"
people = pytest.mark.skipif(not AUDIO.is_dir(), reason="recordings of people are not here")

PAUSE_MS = 150
"""After which the judge is asked."""
Samples = NDArray[np.int16]


@pytest.fixture(scope="module")
def smart_turn() -> SmartTurn:
    try:
        return SmartTurn(find_weights(), TurnRules())
    except ConfigurationError as e:
        pytest.skip(str(e))


def question(*parts: NDArray[np.generic], onset: int = 0) -> Question:
    return Question(np.concatenate(parts).astype("<i2").tobytes(), onset=onset)


def clip(name: str) -> Samples:
    """The speech of a recording, without what is before and after it; 16 kHz, s16."""
    with wave.open(str(AUDIO / f"{name}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    samples -= samples.mean()
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    levels = 10 * np.log10(np.square(frames).mean(axis=1) + 1)
    loud = np.flatnonzero(levels > levels.max() - 30)
    return samples[loud[0] * 320 : (loud[-1] + 1) * 320].astype(np.int16)


def room(milliseconds: int) -> Samples:
    return (np.random.default_rng(5).standard_normal(milliseconds * RATE // 1000) * 10).astype(np.int16)


@people
@pytest.mark.parametrize(
    "name",
    [
        "en_goforward",
        "en_librivox_0890",
        "pt_lapsbm_0240",
        "pt_lapsbm_0385",
        "pt_lapsbm_0415",
        "pt_pico_quetal607",
        "pt_pico_rio",
    ],
)
def test_a_whole_sentence_ends_the_turn(smart_turn: SmartTurn, name: str) -> None:
    assert smart_turn.judge(question(clip(name), room(PAUSE_MS))).turn_end > 0.5


@people
@pytest.mark.parametrize("name", ["en_librivox_0880", "en_librivox_0890", "pt_lapsbm_0415", "pt_pico_rio"])
def test_half_a_sentence_does_not(smart_turn: SmartTurn, name: str) -> None:
    whole = clip(name)
    judgement = smart_turn.judge(question(whole[: len(whole) // 2], room(PAUSE_MS)))
    assert judgement.turn_end < 0.5
    assert judgement.interruption == 0  # not its question


@people
def test_an_earlier_turn_does_not_mislead(smart_turn: SmartTurn) -> None:
    earlier, present = clip("pt_pico_rio")[: 3 * RATE], clip("pt_pico_quetal607")
    alone = smart_turn.judge(question(present, room(PAUSE_MS))).turn_end
    after = smart_turn.judge(question(earlier, room(1000), present, room(PAUSE_MS), onset=len(earlier) + RATE)).turn_end
    assert after == pytest.approx(alone, abs=0.1)


@people
def test_dc_offset_and_loudness_do_not_matter(smart_turn: SmartTurn) -> None:
    whole = np.concatenate([clip("en_librivox_0890"), room(PAUSE_MS)]).astype(np.int32)
    half = whole[: len(whole) // 2]
    for speech in (whole, half):
        plain = smart_turn.judge(question(speech)).turn_end
        assert smart_turn.judge(question(speech // 2 + 8000)).turn_end == pytest.approx(plain, abs=0.1)
        assert smart_turn.judge(question(speech // 8)).turn_end == pytest.approx(plain, abs=0.1)


@people
def test_only_the_last_eight_seconds_count(smart_turn: SmartTurn) -> None:
    last = np.concatenate([room(4000), clip("pt_lapsbm_0415"), room(PAUSE_MS)])[-WINDOW_S * RATE :]
    assert len(last) == WINDOW_S * RATE
    assert smart_turn.judge(question(clip("pt_pico_rio"), last)) == smart_turn.judge(question(last))


@people
def test_threads_may_share_it(smart_turn: SmartTurn) -> None:
    questions = [question(clip(name), room(PAUSE_MS)) for name in ("en_goforward", "en_librivox_0880")] * 2
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(smart_turn.judge, questions)) == [smart_turn.judge(each) for each in questions]


@pytest.mark.parametrize("milliseconds", [0, 10, 100, 2000, 9000])
@pytest.mark.parametrize("amplitude", [0, 10, 3000])
def test_what_holds_no_speech_the_rules_judge(smart_turn: SmartTurn, milliseconds: int, amplitude: int) -> None:
    asked = question((room(milliseconds) // 10) * amplitude)
    assert smart_turn.judge(asked) == TurnRules().judge(asked)


@people
def test_hardly_any_speech_is_no_speech(smart_turn: SmartTurn) -> None:
    blip = question(room(1000), clip("en_goforward")[:1000], room(PAUSE_MS))
    assert smart_turn.judge(blip) == TurnRules().judge(blip)


def test_half_a_sample_is_refused(smart_turn: SmartTurn) -> None:
    with pytest.raises(ProviderError, match="odd number of bytes"):
        smart_turn.judge(Question(bytes(32_001)))


@pytest.mark.parametrize("length", [400, 20_000, WINDOW_S * RATE])
def test_features_are_those_the_model_was_trained_on(smart_turn: SmartTurn, length: int) -> None:
    """By the code that comes with the model, which computes in 64 bits."""
    speech = wave_of(np.random.default_rng(length).integers(-3000, 3000, length, np.int16))
    path = Path(str(distribution(PACKAGE).locate_file("pipecat/audio/turn/smart_turn/_whisper_features.py")))
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec
    assert spec.loader
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    theirs = reference.compute_whisper_log_mel_features(np.pad(speech, (WINDOW_S * RATE - length, 0)))
    assert smart_turn.features(speech) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_weights_that_are_none_are_told(tmp_path: Path, content: bytes | None) -> None:
    weights = tmp_path / "smart-turn.onnx"
    if content is not None:
        weights.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"cannot be used: .*: pip install --no-deps {PACKAGE}=={VERSION}"):
        SmartTurn(weights, TurnRules())


def test_another_version_of_the_package_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = tmp_path / "pipecat_ai-0.1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0.1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ConfigurationError, match=f"not in the {PACKAGE} that is installed: .*=={VERSION}"):
        find_weights()


@pytest.mark.parametrize("file", ["pyproject.toml", "smart-turn.lock"])
def test_the_version_is_the_same_everywhere(file: str) -> None:
    assert f"{PACKAGE}=={VERSION}" in (ROOT / file).read_text()
