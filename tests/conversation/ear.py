"""The caller's audio as turn-taking hears it: frames by the ms, and ways to reach each state."""

from collections.abc import Callable

from serve_app.audio.detector import Frame
from serve_app.audio.framing import RATE
from serve_app.conversation.decisions import Decision, Decisions, Judgement, TakeTurn
from serve_app.conversation.speculation import Ration
from serve_app.conversation.turn_taking import State, TurnTaking

MS = RATE // 1000
FRAME_MS = 20
UNFINISHED = Judgement(turn_end=0.1, interruption=0.0)
FINISHED = Judgement(turn_end=0.9, interruption=0.0)
INTERRUPTION = Judgement(turn_end=0.5, interruption=0.9)
BACKCHANNEL = Judgement(turn_end=0.5, interruption=0.1)


def stopped(decisions: Decisions) -> float:
    """When the caller stopped, by the one decision there is: to take the turn."""
    [decision] = decisions
    assert isinstance(decision, TakeTurn)
    return decision.caller_stopped


class Ear:
    """Feeds frames in real time (or in lumps) and keeps each decision with the ms of audio at which it was taken."""

    def __init__(self, *, interruptible: bool = True, lump_ms: int = FRAME_MS) -> None:
        self.turns = TurnTaking(silence_s=0.250, unsure_s=0.350, interruptible=interruptible, early=Ration())
        self.lump_ms = lump_ms
        self.ms = 0
        self.now = 0.0
        self.voiced = False
        self.taken: list[tuple[int, Decision]] = []

    def voice(self, ms: int, *, late: int = 0) -> list[tuple[int, Decision]]:
        """Speech, which the detector confirms `late` ms after its onset; the gate opens at once."""
        onset = None if self.voiced else self.ms * MS
        return self.frames(ms, lambda i: (True, i >= late, onset if i == late else None))

    def deadline(self) -> float:
        deadline = self.turns.deadline()
        assert deadline is not None
        return deadline

    def quiet(self, ms: int) -> list[tuple[int, Decision]]:
        return self.frames(ms, lambda _: (False, False, None))

    def noise(self, ms: int) -> list[tuple[int, Decision]]:
        return self.frames(ms, lambda _: (True, False, None))

    def frames(self, ms: int, verdict: Callable[[int], tuple[bool, bool, int | None]]) -> list[tuple[int, Decision]]:
        taken = len(self.taken)
        for i in range(0, ms, FRAME_MS):
            gate, self.voiced, onset = verdict(i)
            self.ms += FRAME_MS
            self.now = -(-self.ms // self.lump_ms) * self.lump_ms / 1000
            behind_s = self.now - self.ms / 1000
            self.note(self.turns.frame(Frame(self.ms * MS, gate, gate, self.voiced, onset), self.now, behind_s))
        return self.taken[taken:]

    def words(self, *, words: bool = True) -> Decisions:
        """The newest recognition is answered."""
        return self.note(self.turns.recognised(self.turns.recognition, words=words, now=self.now))

    def judged(self, judgement: Judgement) -> Decisions:
        """The newest question to the judge is."""
        return self.turns.judged(self.turns.judge, judgement)

    def note(self, decisions: Decisions) -> Decisions:
        self.taken += [(self.ms, decision) for decision in decisions]
        return decisions


def listening() -> Ear:
    ear = Ear()
    ear.quiet(500)
    return ear


def caller() -> Ear:
    ear = listening()
    ear.voice(1000)
    return ear


def pause() -> Ear:
    ear = caller()
    ear.quiet(60)
    return ear


def heard() -> Ear:
    ear = caller()
    ear.quiet(300)
    return ear


def thinking() -> Ear:
    ear = heard()
    ear.words()
    return ear


def speaking(*, interruptible: bool = True) -> Ear:
    ear = thinking()
    ear.turns.interruptible = interruptible
    ear.turns.agent_started()
    ear.quiet(500)
    return ear


def overlap() -> Ear:
    ear = speaking()
    ear.noise(60)
    return ear


REACH = {
    State.LISTENING: listening,
    State.CALLER: caller,
    State.PAUSE: pause,
    State.HEARD: heard,
    State.THINKING: thinking,
    State.AGENT: speaking,
    State.OVERLAP: overlap,
}
