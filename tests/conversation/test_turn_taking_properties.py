"""Whatever happens, in whatever order: turn-taking never breaks, and can always reach the next answered turn."""

from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.audio.echo import LIKELY
from serve_app.conversation.decisions import (
    Backchannel,
    Decision,
    Decisions,
    Discard,
    Duck,
    Hold,
    Ignore,
    Interrupt,
    Judge,
    Judgement,
    NoWords,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
    Words,
    Yield,
)
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import UNSURE_S
from serve_app.conversation.manners import Manners
from serve_app.conversation.overlap import FAINT_DB, QUIET_AGAIN, UNJUDGED_FROM
from serve_app.conversation.turn_states import TRANSITIONS, State
from serve_app.conversation.turn_taking import BACKCHANNEL_EVERY
from tests.conversation.ear import FRAME_MS, MS, VOICE_DB, Ear, frames_ms, samples_ms

WAITING = {State.CALLER, State.PAUSE, State.HEARD, State.OVERLAP}
"""What these wait for may never come."""
MANNERS = [
    Manners(),
    Manners("eager", overlap="yield_immediately"),
    Manners("patient", overlap="hold_floor", backchannels=False),
    Manners(overlap="disabled", spelling=False, keeps_overlap=True),
]
ENDINGS = [*Ending, None]


class Chaos(Ear):
    """Turns bytes into events, two for each, and holds every decision to what must be true of any call."""

    def __init__(self) -> None:
        super().__init__(manners=MANNERS[0])
        self.agent_speaks = self.ducked = self.yielding = self.own_accord = False
        self.voiced_until = 0  # sample
        self.recognitions, self.judges = [0], [0]
        self.reported: dict[int, Words] = {}
        self.backchanneled_at = -BACKCHANNEL_EVERY
        self.checked = 0

    def happens(self, events: bytes) -> None:
        for kind, size in zip(events[::2], events[1::2], strict=False):
            self._happens(kind % 32, size)
            self._check()

    def _happens(self, kind: int, size: int) -> None:
        match kind:
            case 16 | 17:
                self._recognised(size)
            case 18:
                judge = self.judges[-1 - (size % 4 == 3 and len(self.judges) > 1)]
                self.note(self.turns.judged(judge, Judgement(size // 4 % 8 / 7, size // 32 / 7)))
            case 19:
                self._wait(size % 16 * (0.1 if size & 32 else 1.0), sends=bool(size & 64))
            case 20:
                self.agent_speaks = self.agent_speaks or self.turns.state is State.THINKING
                self.turns.agent_started()
            case 21:
                self._agent_stopped()
                self.turns.agent_finished()
            case 22:
                self._of_own_accord(typed=bool(size & 1))
            case 23:
                self._change(size)
            case pattern if pattern < 16:
                self._sounds(pattern, size)
            case _:
                self._goes_on(size)

    def _goes_on(self, size: int) -> None:
        """As calls do: what is waited for happens."""
        match self.turns.state:
            case State.LISTENING | State.AGENT:
                self._sounds(0b1011, size & 31)
            case State.CALLER | State.PAUSE:
                self._sounds(0, size & 31)
            case State.HEARD:
                self._recognised(size & ~7)
            case State.THINKING:
                self._happens(20, 0)
            case State.OVERLAP:
                self._happens(18, size & ~3)

    def _sounds(self, pattern: int, size: int) -> None:
        """Up to 400 ms of one kind: silence, noise, speech, a flicker of both; strong or weak, ours or theirs. The
        first voiced frame may begin a region, whose onset lies up to 300 ms back."""
        gate, voiced, flickers, begins = (bool(pattern & bit) for bit in (1, 2, 4, 8))
        self.level = VOICE_DB - (1.5 * FAINT_DB if size & 32 else 0)
        self.echo = LIKELY if size >= 192 else 0.0
        back = (self.ms - size % 16 * FRAME_MS) * MS
        onset = max(self.voiced_until, back) if voiced and begins else None

        def verdict(i: int) -> tuple[bool, bool, int | None]:
            off = flickers and i // FRAME_MS % 3 == 1
            return gate and not off, voiced and not off, None if i else onset

        self.frames(FRAME_MS * (1 + size % 20), verdict)
        if voiced:
            self.voiced_until = self.ms * MS

    def _recognised(self, size: int) -> None:
        """The newest, or one before it; perhaps not for the first time."""
        recognition = self.recognitions[-1 - (size % 8 == 7 and len(self.recognitions) > 1)]
        words = list(Words)[size // 8 % 3]
        if recognition == self.turns.recognition:
            self.reported.setdefault(recognition, words)
        self.note(self.turns.recognised(recognition, words, self.now, ENDINGS[size // 24 % len(ENDINGS)]))

    def _wait(self, seconds: float, *, sends: bool) -> None:
        """The clock goes on. `sends`: the client does too, and what it said arrives in one lump after it."""
        self.now += seconds
        self.lag += 0.0 if sends else seconds
        for _ in range(4):
            if not self.note(self.turns.tick(self.now)):
                break
        else:
            raise AssertionError("a timer would spin")
        deadline = self.turns.deadline()
        assert deadline is None or deadline > self.now, "a timer set to this would spin"

    def _of_own_accord(self, *, typed: bool) -> None:
        self.own_accord = True
        if typed:
            self.note(self.turns.typed())
        else:
            self.turns.answering()
        self._agent_stopped()
        self._check()
        self.own_accord = False

    def _agent_stopped(self) -> None:
        self.agent_speaks = self.ducked = self.yielding = False

    def _change(self, size: int) -> None:
        """What the agent is, or is at, changes."""
        match size % 4:
            case 0:
                self.turns.manners = MANNERS[size // 4 % len(MANNERS)]
            case 1:
                self.turns.overhears = not self.turns.overhears
            case 2:
                self.turns.owe()
        self.turns.interruptible = bool(size % 16 < 12 and self.turns.manners.overlap != "disabled")

    # ---- what must be true

    def note(self, decisions: Decisions) -> Decisions:
        for decision in decisions:
            self._obey(decision)
        return super().note(decisions)

    def _obey(self, decision: Decision) -> None:
        match decision:
            case Duck() | Yield():
                assert self.agent_speaks
                assert not self.ducked
                assert not self.yielding
                assert self.turns.interruptible
                self.ducked, self.yielding = isinstance(decision, Duck), isinstance(decision, Yield)
            case Swell():
                assert self.ducked
                self.ducked = False
            case Interrupt():
                assert self.agent_speaks
                assert self.own_accord or (self.ducked and self.turns.interruptible)
                assert self.own_accord or self.turns.manners.overlap != "hold_floor"
                self._agent_stopped()
            case TakeTurn() | Prepare():
                assert not self.agent_speaks
                assert self.reported.get(self.recognitions[-1], Words.NONE) is not Words.NONE, "words first"
            case Discard():
                assert not self.agent_speaks
            case NoWords(owed, overdue):
                assert not self.agent_speaks
                assert owed if overdue else self.reported[self.recognitions[-1]] is Words.NONE
            case Hold():
                assert self.turns.state is State.HEARD
            case Ignore():
                assert self.agent_speaks
                assert self.reported[self.recognitions[-1]] is Words.BACKCHANNEL
            case Backchannel():
                assert self.turns.state is State.PAUSE
                assert self.turns.manners.backchannels
                assert self.ms * MS - self.backchanneled_at >= BACKCHANNEL_EVERY
                self.backchanneled_at = self.ms * MS
            case Recognise(recognition, start, end):
                assert recognition > self.recognitions[-1]
                self.recognitions.append(recognition)
                assert 0 <= start < end <= self.ms * MS
            case Judge(judge, start, end, overlap):
                assert judge > self.judges[-1]
                self.judges.append(judge)
                assert 0 <= start < end == self.ms * MS
                assert overlap == self.agent_speaks

    def _check(self) -> None:
        state = self.turns.state
        for before, after in self.turns.hops[self.checked :]:
            assert after in TRANSITIONS[before].values() or (self.own_accord and after is State.THINKING)
        self.checked = len(self.turns.hops)
        assert (state in (State.AGENT, State.OVERLAP)) == self.agent_speaks, "one speaker, and it is the one in state"
        assert (state is State.OVERLAP) == self.ducked
        assert (self.turns.deadline() is not None) == (state in WAITING)

    # ---- and what must be possible

    def calms_down(self) -> None:
        """All of the world's timers run out, and the caller keeps quiet."""
        if self.yielding:
            self.happens(AGENT_FINISHED)  # its clause is over
        self.level, self.echo = VOICE_DB, 0.0
        for _ in range(3):
            self._wait(10, sends=False)
        self.quiet(samples_ms(QUIET_AGAIN))

    def is_answered(self, *, after: int) -> None:
        """Of the caller's speech `after` ms lie behind the agent's."""
        began = len(self.taken)
        self.voice(after)
        self.quiet(frames_ms(UNSURE_S))
        assert self.turns.state is State.HEARD
        self.reported[self.recognitions[-1]] = Words.SPEECH
        assert isinstance(self.words()[-1], TakeTurn)
        assert [type(decision) for _, decision in self.taken[began:]].count(TakeTurn) == 1
        self.turns.agent_started()
        assert self.turns.state is State.AGENT
        self.turns.agent_finished()
        assert self.turns.state is State.LISTENING


EVENTS = st.binary(min_size=80, max_size=80)
AGENT_FINISHED = bytes([21, 0])


@settings(max_examples=5000, deadline=None)
@given(EVENTS)
def test_from_anywhere_a_calm_caller_gets_the_next_turn(events: bytes) -> None:
    chaos = Chaos()
    chaos.happens(events)
    chaos.turns.manners, chaos.turns.interruptible = MANNERS[0], True
    chaos.calms_down()
    chaos.is_answered(after=2 * samples_ms(UNJUDGED_FROM))


@settings(max_examples=5000, deadline=None)
@given(EVENTS)
def test_after_an_agent_that_cannot_be_interrupted_too(events: bytes) -> None:
    chaos = Chaos()
    chaos.happens(events)
    chaos.turns.manners, chaos.turns.interruptible = MANNERS[-1], False
    chaos.happens(AGENT_FINISHED)
    chaos.calms_down()
    chaos.happens(AGENT_FINISHED)  # the answer to what was pending
    chaos.is_answered(after=1000)
