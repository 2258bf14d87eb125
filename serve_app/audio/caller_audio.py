"""The caller's audio, from the bytes of a message to judged frames, and what is kept of it."""

from collections import deque

from serve_app.audio.detector import Frame, FrameDetector
from serve_app.audio.echo import WINDOW, Echo
from serve_app.audio.framing import FRAME_SAMPLES, RATE, Framer
from serve_app.audio.pcm import AudioFormat, Samples
from serve_app.audio.recording import Recording
from serve_app.audio.resample import Resampler


class CallerAudio:
    """One call's. `recording` holds the last minute at 16 kHz. Without `voice_format`, echoes of our voice are not
    recognised."""

    def __init__(self, audio_format: AudioFormat, voice_format: AudioFormat | None = None) -> None:
        self.recording = Recording()
        self._format = audio_format
        self._resampler = Resampler(audio_format.rate, RATE)
        self._framer = Framer()
        self._detector = FrameDetector()
        self._echo = _EchoWatch(voice_format) if voice_format else None

    def frames(self, data: bytes) -> list[Samples]:
        """The frames that this audio completes, to be judged in order. Raises ValueError on half a sample."""
        return self._framer.push(self._resampler.process(self._format.decode(data)))

    def played(self, audio: bytes, at: int) -> None:
        """Our voice, in whole samples of `voice_format`, as it leaves: ducked or faded. It sounds from the caller's
        sample `at` on, which may be in the future."""
        if self._echo:
            self._echo.played(audio, at)

    def judge(self, samples: Samples) -> Frame:
        self.recording.append(samples)
        frame = self._detector.process(samples)
        return frame._replace(echo=self._echo.judge(frame, self.recording)) if self._echo else frame


_WINDOW_FRAMES = WINDOW // FRAME_SAMPLES
_LOUD_FRAMES = 2  # of them; with 4 one echo in ten is recognised too late to do without a duck
_JUDGED_EVERY = 3 * FRAME_SAMPLES  # a judgement costs what the detector costs in that time


class _EchoWatch:
    """When to ask whether what sounds is our own voice: while the gate is open, and enough has sounded."""

    def __init__(self, voice_format: AudioFormat) -> None:
        self._format = voice_format
        self._resampler = Resampler(voice_format.rate, RATE)
        self._held_back = 0.0  # by the resampler, in samples at RATE
        self._echo = Echo()
        self._loud: deque[bool] = deque(maxlen=_WINDOW_FRAMES)
        self._judged = -WINDOW
        self._likeness = 0.0

    def played(self, audio: bytes, at: int) -> None:
        voice = self._format.decode(audio)
        samples = self._resampler.process(voice)
        self._echo.played(samples, at - round(self._held_back))
        self._held_back += len(voice) * RATE / self._format.rate - len(samples)

    def judge(self, frame: Frame, recording: Recording) -> float:
        """Of a frame that is loud: the latest judgement, as long as it heard some of what sounds."""
        self._loud.append(frame.loud)
        if frame.gate and sum(self._loud) >= _LOUD_FRAMES and frame.end - self._judged >= _JUDGED_EVERY:
            heard = recording.samples(frame.end - WINDOW, frame.end)
            self._judged, self._likeness = frame.end, self._echo.likeness(heard, frame.end)
        return self._likeness if frame.loud and frame.end - self._judged < WINDOW else 0.0
