"""Whatever happens, in whatever order: turn-taking never breaks, and can always reach the next answered turn."""

from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.decisions import (
    Decisions,
    Discard,
    Duck,
    Interrupt,
    Judgement,
    NoWords,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
)
from serve_app.conversation.turn_taking import State
from tests.conversation.ear import MS, REACH, Ear

WAITING = {State.CALLER, State.PAUSE, State.HEARD, State.OVERLAP}
"""What these wait for may never come."""


class Chaos:
    """Turns bytes into events, and checks the decisions against what must be true of any call."""

    def __init__(self, begins: State, *, interruptible: bool) -> None:
        self.ear = REACH[begins]()
        self.turns = self.ear.turns
        self.turns.interruptible = interruptible
        self.agent_speaks = begins in (State.AGENT, State.OVERLAP)
        self.ducked = begins is State.OVERLAP
        self.voiced_until = self.ear.ms * MS
        self.asked = [decision.id for _, decision in self.ear.taken if isinstance(decision, Recognise)]
        self.answered: set[int] = set()  # recognitions reported with words

    def happen(self, byte: int) -> None:
        kind, size = byte % 16, byte // 16
        if kind < 8:
            self._frames(kind, size)
        elif kind == 8:
            self._answer(words=size % 4 > 0, back=size // 12)
        elif kind == 9:
            self.obey(self.ear.judged(Judgement(turn_end=size % 4 / 3, interruption=size // 4 / 3)))
        elif kind in (10, 11):
            self._wait(size * (0.1 if kind == 10 else 1.0))
        elif kind in (12, 13):
            self._agent(starts=kind == 12)
        elif kind == 14:
            self.turns.owe()
        elif size < 4:
            self.obey(self.turns.typed())
        elif self.turns.state in (State.LISTENING, State.THINKING):
            self.turns.answering()
        self.check()

    def _frames(self, kind: int, size: int) -> None:
        """Some alike. The first voiced one may begin a region, whose onset lies up to 300 ms back."""
        gate, voiced, begins = bool(kind & 1), bool(kind & 2), bool(kind & 4)
        onset = max(self.voiced_until, (self.ear.ms - 20 * size) * MS) if voiced and begins else None
        taken = self.ear.frames(20 * size + 20, lambda i: (gate, voiced, None if i else onset))
        self.voiced_until = self.ear.ms * MS if voiced else self.voiced_until
        self.obey([decision for _, decision in taken])

    def _answer(self, *, words: bool, back: int) -> None:
        """A recognition is reported: the newest, or one before it; perhaps not for the first time."""
        if back >= len(self.asked):
            return
        recognition = self.asked[-1 - back]
        if words:
            self.answered.add(recognition)
        self.obey(self.turns.recognised(recognition, words=words, now=self.ear.now))

    def _wait(self, seconds: float) -> None:
        self.ear.now += seconds
        self.obey(self.turns.tick(self.ear.now))
        self.obey(self.turns.tick(self.ear.now))  # a hold that comes this late is followed by the end of the wait
        deadline = self.turns.deadline()
        assert deadline is None or deadline > self.ear.now, "a timer set to this would spin"

    def _agent(self, *, starts: bool) -> None:
        if starts:
            self.agent_speaks = self.agent_speaks or self.turns.state is State.THINKING
            self.turns.agent_started()
        else:
            self.agent_speaks = self.ducked = False
            self.turns.agent_finished()

    def obey(self, decisions: Decisions) -> None:
        for decision in decisions:
            match decision:
                case Duck():
                    assert self.agent_speaks
                    assert not self.ducked
                    self.ducked = True
                case Swell():
                    assert self.ducked
                    self.ducked = False
                case Interrupt():
                    assert self.agent_speaks
                    self.agent_speaks = self.ducked = False
                case TakeTurn() | Prepare():
                    assert not self.agent_speaks
                    assert self.turns.recognition in self.answered, "words first"
                case Discard() | NoWords():
                    assert not self.agent_speaks
                case Recognise(recognition, start, end):
                    self.asked.append(recognition)
                    assert 0 <= start < end <= self.ear.ms * MS

    def check(self) -> None:
        state = self.turns.state
        assert (state in (State.AGENT, State.OVERLAP)) == self.agent_speaks, "one speaker, and it is the one in state"
        assert (state is State.OVERLAP) == self.ducked
        assert (self.turns.deadline() is not None) == (state in WAITING)


def after(begins: State, events: bytes, *, interruptible: bool) -> Ear:
    chaos = Chaos(begins, interruptible=interruptible)
    for event in events:
        chaos.happen(event)
    return chaos.ear


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(State), st.binary(max_size=60))
def test_from_anywhere_a_calm_caller_gets_the_next_turn(begins: State, events: bytes) -> None:
    ear = after(begins, events, interruptible=True)
    ear.now += 10
    ear.turns.tick(ear.now)
    ear.quiet(500)
    ear.voice(1000)
    ear.quiet(500)
    assert ear.turns.state is State.HEARD
    assert [type(decision) for decision in ear.words()] == [TakeTurn]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([state for state in State if state is not State.OVERLAP]), st.binary(max_size=60))
def test_after_an_agent_that_may_not_be_interrupted_too(begins: State, events: bytes) -> None:
    ear = after(begins, events, interruptible=False)
    ear.turns.agent_finished()
    ear.quiet(500)
    ear.turns.agent_finished()  # the answer to what was pending: it may not be interrupted, but it ends
    ear.voice(1000)
    ear.quiet(500)
    assert [type(decision) for decision in ear.words()] == [TakeTurn]
