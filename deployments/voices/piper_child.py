"""A Piper voice as a program: see `voice_child`. Its argument is the voice's .onnx file.

Piper is GPL-3.0: only this program imports it.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from deployments.voices.voice_child import Hear, Say, VoiceError, serve

if TYPE_CHECKING:
    import piper

Samples = NDArray[np.int16]

FRAME_S = 0.05
_TRIAL = "a e i o u"
_PHRASE_END = re.compile(r"(?<=[,;:.!?…])\s+")
_ERRORS = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NoSuchFile,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Piper:
    """One voice. One thread only."""

    def __init__(self, path: Path) -> None:
        self._peak = 0.0
        try:
            self._voice = _load(path)
            # A voice that cannot speak is told of now, and the first clause finds everything in place.
            sound = any(len(samples) for samples in self._synthesize(_TRIAL, None, 1.0))
        except _ERRORS as e:
            raise VoiceError(f"the voice does not load: {e!r}") from e
        if not sound:
            raise VoiceError("the voice makes no sound")
        self.sample_rate = self._voice.config.sample_rate

    def say(self, request: Say, hear: Hear) -> None:
        """Phrase by phrase, for Piper makes a sentence whole before it gives any of it. Raises VoiceError."""
        speakers = self._voice.config.speaker_id_map
        speaker = next((speakers[name] for name in request.voices if name in speakers), None)
        for phrase in phrases(request.text):
            try:
                for samples in self._synthesize(phrase, speaker, request.speed):
                    if not self._give(samples, hear):
                        return
            except _ERRORS as e:  # whose message may hold something of the text
                raise VoiceError(f"the voice fails with {type(e).__name__}") from e

    def _give(self, samples: Samples, hear: Hear) -> bool:
        """In frames, lest the server has much to do at once. Is more wanted?"""
        size = round(FRAME_S * self.sample_rate)
        frames = (samples[start : start + size] for start in range(0, len(samples), size))
        return all(hear(frame.astype("<i2").tobytes(), ()) for frame in frames)

    def _synthesize(self, text: str, speaker: int | None, speed: float) -> Iterator[Samples]:
        """Loud as Piper has it, full scale: by the loudest so far, for a phrase of its own would stand out."""
        from piper import SynthesisConfig

        length = self._voice.config.length_scale / speed
        config = SynthesisConfig(speaker_id=speaker, length_scale=length, normalize_audio=False)
        for chunk in self._voice.synthesize(text, config):
            wave = np.atleast_1d(chunk.audio_float_array)
            self._peak = max(self._peak, float(np.abs(wave).max(initial=0)))
            if self._peak > 0:
                yield np.rint(wave * (32767 / self._peak)).astype(np.int16)


def phrases(text: str) -> list[str]:
    """What to synthesise at once: up to each comma or full stop. Without Piper's markup, which any text might hold."""
    plain = text.replace("[", "(")
    return [phrase for phrase in _PHRASE_END.split(plain) if any(map(str.isalnum, phrase))]


def _load(path: Path) -> "piper.PiperVoice":
    """`PiperVoice.load`, with a session that keeps to one core."""
    from piper import PiperVoice
    from piper.config import PiperConfig

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    config = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
    return PiperVoice(session=session, config=PiperConfig.from_dict(config), download_dir=path.parent)


if __name__ == "__main__":
    logging.disable()  # Piper names phonemes that it does not know
    serve(lambda: Piper(Path(sys.argv[1])))
