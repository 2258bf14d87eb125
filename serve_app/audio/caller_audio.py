"""The caller's audio, from the bytes of a message to judged frames, and what is kept of it."""

from serve_app.audio.detector import Frame, FrameDetector
from serve_app.audio.framing import RATE, Framer
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.audio.recording import Recording
from serve_app.audio.resample import Resampler


class CallerAudio:
    """One call's. `recording` holds the last minute at 16 kHz."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self.recording = Recording()
        self._format = audio_format
        self._resampler = Resampler(audio_format.rate, RATE)
        self._framer = Framer()
        self._detector = FrameDetector()

    def frames(self, data: bytes) -> list[Samples]:
        """The frames that this audio completes, to be judged in order. Raises ValueError on half a sample."""
        return self._framer.push(self._resampler.process(self._format.decode(data)))

    def judge(self, samples: Samples) -> Frame:
        self.recording.append(samples)
        return self._detector.process(samples)
