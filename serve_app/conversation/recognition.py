"""The recognition of the caller's present speech: when it may be asked for, and what came of it."""

from serve_app.audio.framing import RATE
from serve_app.conversation.decisions import Decisions, Overhear, Recognise, Words
from serve_app.conversation.endings import Ending
from serve_app.conversation.speculation import Ration

LEAD_IN = int(0.100 * RATE)
"""Audio before the onset that the recogniser gets too: the detector may be 60 ms late on a soft start."""
RECOGNISE_EVERY = int(0.400 * RATE)
"""At most one recognition in this much audio: every gap between words would be one otherwise."""
OVERHEAR_EVERY = int(1.000 * RATE)
"""Of the caller's speech, from its beginning: what they have said so far is shown about this often."""


class Recognition:
    """Samples are the caller's. `early`: what recognition before the end of a turn may cost; None: there is none.

    `id`: of the newest, reports of any other are void. `until`: the sample up to which one was last asked for. `asked`:
    all of the present speech was. `words` is its result, None: awaited; `ending` is what those say of the turn's end.
    `look`: id of the newest look at what the caller is saying.
    """

    def __init__(self, early: Ration | None) -> None:
        self.id = self.until = self.look = 0
        self.asked = False
        self.words: Words | None = None
        self.ending: Ending | None = None
        self._early = early
        self._asked_at = -RECOGNISE_EVERY
        self._looked_at = 0

    def begin(self, onset: int) -> None:
        """The caller begins to speak."""
        self._looked_at = onset
        self.forget()

    def may_begin(self, onset: int, end: int, now: float) -> bool:
        """Before the end of the turn."""
        return end - self._asked_at >= RECOGNISE_EVERY and self._can_afford(onset, end, now)

    def ask(self, onset: int, end: int) -> Decisions:
        self.asked = True
        self.id += 1
        self._asked_at = self.until = end
        return [Recognise(self.id, max(0, onset - LEAD_IN), end)]

    def overhear(self, onset: int, end: int, now: float) -> Decisions:
        """Have a look at what the caller is saying, if it is time for one."""
        if end - self._looked_at < OVERHEAR_EVERY or not self._can_afford(onset, end, now):
            return []
        self.look += 1
        self._looked_at = end
        return [Overhear(self.look, max(0, onset - LEAD_IN), end)]

    def answered(self, id: int, words: Words, ending: Ending | None) -> bool:
        """Whether that counts."""
        if id != self.id or self.words is not None:
            return False
        self.words, self.ending = words, ending
        return True

    def forget(self) -> None:
        """What comes now is about something else."""
        self.id += 1
        self.asked, self.words, self.ending = False, None, None

    def _can_afford(self, onset: int, end: int, now: float) -> bool:
        return self._early is not None and self._early.take(now, (end - onset) / RATE)
