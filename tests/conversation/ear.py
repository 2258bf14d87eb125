"""The caller's audio as turn-taking hears it: frames by the ms, and ways to reach each state."""

from collections.abc import Callable
from math import ceil

from serve_app.audio.detector import Frame
from serve_app.audio.framing import RATE
from serve_app.conversation.decisions import Decision, Decisions, Judge, Judged, Judgement, Recognise, TakeTurn, Words
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import UNSURE_S
from serve_app.conversation.manners import Manners
from serve_app.conversation.speculation import Ration
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import TurnTaking

QUIET = Manners(backchannels=False)
KEEPS = Manners(backchannels=False, keeps_overlap=True)
VOICE_DB, FLOOR_DB = -25.0, -60.0
MS = RATE // 1000
FRAME_MS = 20
UNFINISHED = Judgement(turn_end=0.1, interruption=0.0)
FINISHED = Judgement(turn_end=0.9, interruption=0.0)
UNDECIDED = Judgement(turn_end=0.3, interruption=0.0)
INTERRUPTION = Judgement(turn_end=0.5, interruption=0.9)
BACKCHANNEL = Judgement(turn_end=0.5, interruption=0.1)


def frames_ms(seconds: float) -> int:
    """The first frame to end when this much has passed, ms."""
    return ceil(round(seconds * 1000) / FRAME_MS) * FRAME_MS


def samples_ms(samples: int) -> int:
    return frames_ms(samples / RATE)


def told(taken: list[tuple[int, Decision]], since_ms: int = 0) -> list[tuple[int, type[Decision]]]:
    """What was decided and when, but for what the judge was asked and had to say."""
    return [(ms - since_ms, type(d)) for ms, d in taken if ms > since_ms and not isinstance(d, Judge | Judged)]


def stopped(decisions: Decisions) -> float:
    """When the caller stopped, by the one decision there is: to take the turn."""
    [decision] = [d for d in decisions if not isinstance(d, Judged)]
    assert isinstance(decision, TakeTurn)
    return decision.caller_stopped


class Watched(TurnTaking):
    """`hops`: each change of state, from and to."""

    hops: list[tuple[State, State]]

    @property
    def state(self) -> State:
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        if hasattr(self, "_state"):
            self.hops.append((self._state, state))
        else:
            self.hops = []
        self._state = state


class Ear:
    """Feeds frames in real time (or in lumps) and keeps each decision with the ms of audio at which it was taken.
    `level` of what sounds, dB, and its likeness to our own voice, `echo`, may be changed on the way. `lag`: seconds in
    which the client has sent nothing."""

    def __init__(
        self,
        *,
        manners: Manners = QUIET,
        lump_ms: int = FRAME_MS,
        early: bool = True,
    ) -> None:
        self.turns = Watched(manners=manners, early=Ration() if early else None)
        self.lump_ms = lump_ms
        self.level, self.echo = VOICE_DB, 0.0
        self.ms = 0
        self.now = self.lag = 0.0
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
            arrival = self.lag - (-self.ms // self.lump_ms) * self.lump_ms / 1000
            self.now = max(self.now, arrival)
            level, echo = (self.level, self.echo) if gate else (FLOOR_DB, 0.0)
            frame = Frame(self.ms * MS, gate, gate, self.voiced, onset, level=level, floor=FLOOR_DB, echo=echo)
            self.note(self.turns.frame(frame, self.now, max(0.0, arrival - self.lag - self.ms / 1000)))
        return self.taken[taken:]

    def words(self, words: Words = Words.SPEECH, ending: Ending | None = Ending.COMPLETE) -> Decisions:
        """The newest recognition is answered."""
        return self.note(self.turns.recognised(self.asked(Recognise), words, self.now, ending))

    def judged(self, judgement: Judgement) -> Decisions:
        """The newest question to the judge is answered."""
        return self.note(self.turns.judged(self.asked(Judge), judgement))

    def asked(self, of: type[Recognise | Judge]) -> int:
        """Id of the newest. 0: there was none."""
        return max((decision.id for _, decision in self.taken if isinstance(decision, of)), default=0)

    def tick(self, now: float | None = None) -> Decisions:
        """The clock goes on without a frame; None: to the deadline."""
        self.now = self.deadline() if now is None else now
        return self.note(self.turns.tick(self.now))

    def note(self, decisions: Decisions) -> Decisions:
        self.taken += [(self.ms, decision) for decision in decisions]
        return decisions


def listening(manners: Manners = QUIET) -> Ear:
    ear = Ear(manners=manners)
    ear.quiet(500)
    return ear


def caller(manners: Manners = QUIET) -> Ear:
    ear = listening(manners)
    ear.voice(1000)
    return ear


def pause(manners: Manners = QUIET) -> Ear:
    ear = caller(manners)
    ear.quiet(60)
    return ear


def heard(manners: Manners = QUIET) -> Ear:
    ear = caller(manners)
    ear.quiet(frames_ms(UNSURE_S))
    return ear


def thinking(manners: Manners = QUIET) -> Ear:
    ear = heard(manners)
    ear.words()
    return ear


def speaking(manners: Manners = QUIET, *, interruptible: bool = True) -> Ear:
    ear = thinking(manners)
    ear.turns.interruptible = interruptible
    ear.turns.agent_started()
    ear.quiet(500)
    return ear


def overlap(manners: Manners = QUIET) -> Ear:
    ear = speaking(manners)
    ear.noise(60)
    return ear


REACH: dict[State, Callable[[], Ear]] = {
    State.LISTENING: listening,
    State.CALLER: caller,
    State.PAUSE: pause,
    State.HEARD: heard,
    State.THINKING: thinking,
    State.AGENT: speaking,
    State.OVERLAP: overlap,
}
