"""One sound over the agent's voice: what is known of it, and whether it takes the floor."""

from enum import Enum, auto

from serve_app.audio.detector import Frame
from serve_app.audio.framing import RATE
from serve_app.conversation.manners import Strategy

JUDGE_WITHIN = int(0.350 * RATE)
"""The agent is ducked no longer than this without a reason. Published detectors need 300-600 ms to tell "uh-huh" from
"stop"."""
JUDGE_FROM = int(0.220 * RATE)
JUDGE_EVERY = int(0.080 * RATE)
JUDGE_UNTIL = int(0.320 * RATE)
"""When the judge is asked: with less sound it could only guess, and later the words will tell: asked until 520 ms, it
stopped the agent for one murmur in twenty, for no interruption that was missed otherwise."""
INTERRUPTS = 0.7
"""Of the judge's score. At 0.5, its own mark for one look, two looks stop the agent for too many murmurs."""
VOICED_FROM = int(0.120 * RATE)
"""Less speech than this is no interruption: a click, a cough."""
WORDS_FROM = int(0.440 * RATE)
"""Speech this long is recognised though it goes on: "sim, mas..."."""
UNJUDGED_FROM = int(0.500 * RATE)
"""Speech this long is an interruption, if there is no judge: most murmurs are shorter."""
SURELY_FROM = int(1.200 * RATE)
"""Nobody murmurs this long: it is one whatever the judge says."""
QUIET_AGAIN = int(0.200 * RATE)
"""The sound is over when nothing voice-like came for this long."""
FAINT_DB = 15.0
"""Below the caller's usual level: somebody else in the room, or a television. It takes words to interrupt then."""
AUDIBLE_DB = 6.0
"""Over the noise floor, where the caller's level is not known yet."""


class Verdict(Enum):
    INTERRUPTION = auto()
    FALSE_ALARM = auto()


class Overlap:
    """It `began` at that sample, at `at` on the loop clock; `usual_db` is how loud the caller is when
    they have the floor, None: not known.

    `score`: the judge's, None while there is none. `recognised_until`: the sample up to which its words were asked for.
    """

    def __init__(self, began: int, usual_db: float | None, at: float = 0.0) -> None:
        self.began = self.onset = self.last_voiced = self.last_sound = began
        self.score: float | None = None
        self.recognised_until = 0
        self.question = self.answer = 0  # ids of the newest that the judge was asked, and has answered
        self._at = at
        self.judged_at = began + JUDGE_FROM - JUDGE_EVERY
        self._usual_db = usual_db
        self._level_db = 0.0  # of the voiced frames, summed
        self._over_floor_db = 0.0
        self._voiced = 0

    def note(self, frame: Frame) -> None:
        if frame.gate:
            self.last_sound = frame.end
        if not frame.voiced:
            return
        if not self._voiced and frame.onset is not None:
            self.onset = frame.onset
        self.last_voiced = self.last_sound = frame.end
        self._voiced += 1
        self._level_db += frame.level
        self._over_floor_db += frame.level - frame.floor

    @property
    def speech(self) -> int:
        """Samples of it, from its onset to the last voiced one."""
        return self.last_voiced - self.onset if self._voiced else 0

    @property
    def faint(self) -> bool:
        """Too weak to be the caller's own voice."""
        if not self._voiced:
            return True
        if self._usual_db is None:
            return self._over_floor_db / self._voiced < AUDIBLE_DB
        return self._level_db / self._voiced < self._usual_db - FAINT_DB

    def quiet(self, end: int) -> int:
        """Samples since anything voice-like."""
        return end - self.last_sound

    @property
    def asked(self) -> bool:
        """For all of its words."""
        return self.recognised_until >= self.last_voiced

    def waits(self, now: float) -> bool:
        """For the judge's answer, on more than a blip: a client's lump may bring all of JUDGE_WITHIN at once."""
        sounds = self.last_sound - self.began >= JUDGE_WITHIN - QUIET_AGAIN
        return sounds and self.answer < self.question and now - self._at < JUDGE_WITHIN / RATE - 1e-6

    def to_be_judged(self, end: int) -> bool:
        return end - self.judged_at >= JUDGE_EVERY and end - self.began <= JUDGE_UNTIL

    def verdict(self, end: int, strategy: Strategy, score: float | None) -> Verdict | None:
        """By the sample `end`, if it can be told. `score` None: by the rules alone."""
        enough = VOICED_FROM if strategy == "yield_immediately" else UNJUDGED_FROM if score is None else SURELY_FROM
        judged = score is not None and score >= INTERRUPTS and self.speech >= VOICED_FROM
        if (judged or self.speech >= enough) and not self.faint:
            return Verdict.INTERRUPTION
        if end - self.began >= JUDGE_WITHIN or self.quiet(end) >= QUIET_AGAIN:
            return Verdict.FALSE_ALARM
        return None
