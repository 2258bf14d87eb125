"""Has the turn ended in this pause? smart-turn v3, which hears it in the intonation: a Whisper Tiny encoder, trained on
23 languages, Portuguese and English among them (Daily, github.com/pipecat-ai/smart-turn, BSD 2-Clause).

Of people it is right about nearly all whole sentences. Of synthetic voices it knows nothing.
"""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import onnxruntime
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from deployments.turn_rules import TurnRules, samples_of, speech_ms, wave_of
from serve_app.audio.framing import RATE
from serve_app.errors import ConfigurationError, ProviderError
from serve_app.ports import Judgement, Question

Floats = NDArray[np.float32]

PACKAGE, VERSION = "pipecat-ai", "1.14.0"
WEIGHTS = "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
ADVICE = f"pip install --no-deps {PACKAGE}=={VERSION} brings it, 12 MB"

WINDOW_S = 8
WINDOW_SAMPLES = WINDOW_S * RATE
LEAD_SAMPLES = RATE // 10
"""Heard from before the onset, which the detector may have noticed late. An earlier turn is not: it misleads."""
VARIANCE_FLOOR = 1e-7  # transformers.WhisperFeatureExtractor.zero_mean_unit_var_norm

LEAST_SPEECH_MS = 100
"""With less speech lately than any word takes, the rules judge: the model calls silence a finished turn, 0.99."""
LATELY_SAMPLES = 2 * RATE

_FAILURES = (  # of a session: they have no common base
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NoSuchFile,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)


class SmartTurn:
    """The model as an engine for pauses. One session, shared by the threads that judge."""

    def __init__(self, weights: Path, rules: TurnRules) -> None:
        """Raises ConfigurationError."""
        self._rules = rules
        self._features = FeatureExtractor(chunk_length=WINDOW_S)
        self._session = _load(weights)
        self.probability(np.zeros(WINDOW_SAMPLES, np.float32))  # the first run of all is slow

    def describe(self) -> str:
        """As TurnEngine.describe."""
        return "smart-turn v3.2"

    def judge(self, question: Question) -> Judgement:
        """As TurnJudge.judge, of a pause: `interruption` is 0. 30-60 ms of one core. Raises ProviderError."""
        samples = samples_of(question.pcm)
        speech = wave_of(samples[max(0, question.onset - LEAD_SAMPLES) :][-WINDOW_SAMPLES:])
        if speech_ms(speech[-LATELY_SAMPLES:]) < LEAST_SPEECH_MS:
            return self._rules.judge(question)
        return Judgement(turn_end=self.probability(speech), interruption=0.0)

    def probability(self, speech: Floats) -> float:
        """That a turn ends with `speech`, 0..1: 16 kHz without DC, at most WINDOW_SAMPLES. Raises ProviderError."""
        try:
            [[probability]] = self._session.run(None, {"input_features": self.features(speech)[None]})[0]
        except _FAILURES as e:
            raise ProviderError(f"smart-turn failed: {type(e).__name__}") from e
        return float(probability)

    def features(self, speech: Floats) -> Floats:
        """What the model sees: log-mel, 80 bands x 800 frames of 10 ms, the window filled up with silence in front."""
        window = np.zeros(WINDOW_SAMPLES, np.float32)
        window[WINDOW_SAMPLES - len(speech) :] = speech
        window = (window - window.mean()) / np.sqrt(window.var() + np.float32(VARIANCE_FLOOR))
        features: Floats = self._features(window, padding=0)
        return features


def find_weights() -> Path:
    """The model in pipecat's wheel, found without importing that package. Raises ConfigurationError: not there."""
    try:
        weights = Path(str(distribution(PACKAGE).locate_file(WEIGHTS)))
    except PackageNotFoundError as e:
        raise ConfigurationError(f"smart-turn is not installed: {ADVICE}") from e
    if not weights.is_file():
        raise ConfigurationError(f"smart-turn is not in the {PACKAGE} that is installed: {ADVICE}")
    return weights


def _load(weights: Path) -> onnxruntime.InferenceSession:
    """One thread for each judgement and no spinning: the cores are shared with the calls."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except _FAILURES as e:
        raise ConfigurationError(f"smart-turn cannot be used: {type(e).__name__}: {ADVICE}") from e
