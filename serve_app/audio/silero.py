"""Silero VAD v6, streaming: how likely is it that these 32 ms are speech?"""

from functools import cache
from importlib.metadata import distribution

import numpy as np
import onnxruntime
from numpy.typing import NDArray

WINDOW_SAMPLES = 512  # at 16 kHz; the model knows no other length
_CONTEXT_SAMPLES = 64  # the end of the window before, which the model sees again


class Silero:
    """One caller's stream: context and LSTM state. The network itself is shared by the whole process."""

    def __init__(self) -> None:
        self._network = _network()
        self._input = np.empty((1, _CONTEXT_SAMPLES + WINDOW_SAMPLES), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._input.fill(0)
        self._h: NDArray[np.float32] = np.zeros((1, 1, 128), np.float32)
        self._c: NDArray[np.float32] = np.zeros((1, 1, 128), np.float32)

    def process(self, window: NDArray[np.float32]) -> float:
        """Take the next WINDOW_SAMPLES at 16 kHz, -1..1; return the probability of speech, 0..1."""
        self._input[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        self._input[0, _CONTEXT_SAMPLES:] = window
        feeds = {"input": self._input, "h": self._h, "c": self._c}
        probability, self._h, self._c = self._network.run(None, feeds)
        return float(probability.item())


@cache
def _network() -> onnxruntime.InferenceSession:
    """The model in faster-whisper's wheel, found without importing that package, which would load CTranslate2.

    One thread and no spinning: a window takes 0.07-0.13 ms, on an event loop that many calls share.
    """
    model = distribution("faster-whisper").locate_file("faster_whisper/assets/silero_vad_v6.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
