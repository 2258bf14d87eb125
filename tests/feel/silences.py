"""The detector's silences: what a plain timer would go by."""

from serve_app.audio.detector import FrameDetector
from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import Samples

GAP_S = 1.5 * FRAME_SAMPLES / RATE


class Silences:
    """The detector's silences, once somebody has spoken; the last one is open."""

    def __init__(self) -> None:
        self._ended: list[tuple[float, float]] = []
        self._voiced_until: float | None = None

    def hear(self, end: float, *, voiced: bool) -> None:
        if not voiced:
            return
        if self._voiced_until is not None and end - self._voiced_until > GAP_S:
            self._ended.append((self._voiced_until, end))
        self._voiced_until = end

    @property
    def all(self) -> tuple[tuple[float, float], ...]:
        last = [] if self._voiced_until is None else [(self._voiced_until, float("inf"))]
        return tuple(self._ended + last)


def silences(recorded: Samples) -> tuple[tuple[float, float], ...]:
    """Of a call's audio at 16 kHz, in whole frames."""
    detector, found = FrameDetector(), Silences()
    for samples in recorded.reshape(-1, FRAME_SAMPLES):
        frame = detector.process(samples)
        found.hear(frame.end / RATE, voiced=frame.voiced)
    return found.all
