"""The caller of a score: says their part when its time has come, and keeps what they heard of the agent, and when."""

from collections.abc import Iterator
from typing import NamedTuple

from serve_app.audio.framing import RATE
from tests.feel.clips import clip
from tests.feel.microphone import Loudspeaker, Microphone, audio_format
from tests.feel.score import Kind, Noise, Score

BEGINS_S = 0.8
NOISE_ALONE_S = 1.2
"""Quiet after a noise that nobody was interrupted by."""
FIRST_ANSWER_WITHIN_S = 6.0
ECHO_ALONE_S = 6.0
AFTER_S = 2.5
"""For what may come of it; a new answer ends the wait."""
STOP_WITHIN_S = 1.0
"""After an overlap is over: an interruption that comes later is no answer to it."""


class Event(NamedTuple):
    """What came from the server, in seconds of the call. `kind`: the message's type. `level`: of an audio's end, 1.0 is
    full scale."""

    at: float
    kind: str
    level: float = 0.0


class Caller:
    """Time is counted in the frames asked for: the first ends at 20 ms.

    In seconds of the call, 0 as long as it has not come to that. asks, asked: their question before the score's own
    sounds begins and ends. onset, end: of those sounds, a pause in them included.
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.loudspeaker = Loudspeaker(audio_format(score.line))
        self.microphone = Microphone(score, self.loudspeaker)
        self.events: list[Event] = []
        self.asks = self.asked = self.onset = self.end = 0.0
        self.done = False
        self._script = self._pause() if score.kind is Kind.PAUSE else self._overlap()

    @property
    def now(self) -> float:
        return self.microphone.end / RATE

    def hear(self, event: Event, audio: bytes = b"") -> None:
        self.events.append(event)
        if audio:
            self.loudspeaker.play(audio, event.at)
        elif event.kind == "interruption":
            self.loudspeaker.stop(event.at)

    def frame(self) -> bytes:
        """The next 20 ms, encoded."""
        self.done = self.done or next(self._script, True)
        return self.microphone.frame()

    def heard(self, kind: str, since: float = 0.0, until: float = float("inf")) -> list[Event]:
        return [event for event in self.events if event.kind == kind and since <= event.at < until]

    # ---- what they do, a step for each frame

    def _pause(self) -> Iterator[bool]:
        before, after = (clip(sound) for sound in self.score.sounds)
        self.onset = BEGINS_S
        paused = self.microphone.speak(before, round(BEGINS_S * RATE))
        begins = paused + round(self.score.pause_s * RATE)
        self.end = self.microphone.speak(after, begins) / RATE
        yield from self._until_answered(self.end)

    def _overlap(self) -> Iterator[bool]:
        self.asked = self._ask()
        yield from self._until(self.asked)
        while not self.heard("audio", self.asked):
            yield False
            if self.now > self.asked + FIRST_ANSWER_WITHIN_S:
                return
        began = self.heard("audio", self.asked)[0].at
        self.onset = self.end = began
        if not self.score.sounds:
            self.end += ECHO_ALONE_S
        for sound in self.score.sounds:
            start = max(self.microphone.end, round((began + self.score.at_s) * RATE))
            self.onset, self.end = start / RATE, self.microphone.speak(clip(sound), start) / RATE
        yield from self._until(self.end + STOP_WITHIN_S)
        if self.heard("interruption", self.onset):
            yield from self._until_answered(self.onset)

    def _ask(self) -> float:
        """What makes the agent answer at length, and a noise before it: when that is over."""
        if not self.score.first:
            return 0.0
        self.asks = BEGINS_S
        if self.score.sounds and isinstance(self.score.sounds[0], Noise):
            noise_ends = self.microphone.speak(clip(self.score.sounds[0]), round(BEGINS_S * RATE))
            self.asks = noise_ends / RATE + NOISE_ALONE_S
        return self.microphone.speak(clip(self.score.first), round(self.asks * RATE)) / RATE

    def _until_answered(self, since: float) -> Iterator[bool]:
        while self.now < self.end + AFTER_S and not self.heard("agent_response", since):
            yield False

    def _until(self, at: float) -> Iterator[bool]:
        while self.now < at:
            yield False
