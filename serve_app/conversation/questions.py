"""What the judge is asked about the caller's audio, and which of its answers still count."""

from serve_app.audio.framing import RATE
from serve_app.conversation.decisions import Judge

JUDGE_PAUSES_AT = (int(0.140 * RATE), int(0.500 * RATE))
"""Into a pause, when the judge is asked whether the turn is over: the first answer comes in time for the shortest
silence, the second is for a pause that lasts. A model costs 50 ms of a core each time."""


class Questions:
    """`id`: of the newest; answers to those before it count too, if they are about the same sound. `turn_end`: the
    judge's view of the present pause, None: not known."""

    def __init__(self) -> None:
        self.id = 0
        self.turn_end: float | None = None
        self._before = 0  # questions up to this one were about something else
        self._of_pause = 0

    def ask(self, start: int, end: int, *, overlap: bool) -> Judge:
        self.id += 1
        return Judge(self.id, start, end, overlap)

    def ask_of_pause(self, quiet: int, start: int, end: int) -> list[Judge]:
        """If it is time, so many samples into it."""
        if self._of_pause == len(JUDGE_PAUSES_AT) or quiet < JUDGE_PAUSES_AT[self._of_pause]:
            return []
        self._of_pause += 1
        return [self.ask(start, end, overlap=False)]

    def counts(self, id: int) -> bool:
        return id > self._before

    def forget(self) -> None:
        """What is asked from now on is about something else."""
        self._before, self._of_pause, self.turn_end = self.id, 0, None
