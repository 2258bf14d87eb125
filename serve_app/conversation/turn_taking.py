"""Who may speak now. The caller's audio frames go in, and what recogniser, judge and answer report; decisions come out.

The rules of this file:
- Everything about whose turn it is lives here; what is said, and how it sounds, is decided elsewhere.
- Time in audio is counted in audio: clients send lumps of 32 ms or 250 ms. The loop clock (`now`) is only for what may
  never come: a client that stops sending, a recogniser that does not answer.
- Silence is counted from the last voiced frame.
- At most one of caller and agent has the floor; an overlap ends, within JUDGE_WITHIN, with one of them.
- No state waits for an event that may never come: see `deadline`.

    LISTENING ──voice──▶ CALLER ◀─voice── PAUSE ──silence──▶ HEARD ──words──▶ THINKING ──first audio──▶ AGENT
        ▲                  │ └──40 ms quiet──▶ ▲               │ no words        │ voice: CALLER           │ ▲
        │                  │                                   ▼                                   gate   ▼ │ swell
        └──────────────────┴───────────── end of answer ── LISTENING            CALLER ◀─interrupt─ OVERLAP
"""

from collections.abc import Callable
from enum import Enum, auto

from serve_app.audio.detector import Frame
from serve_app.audio.framing import FRAME_SAMPLES as FRAME
from serve_app.audio.framing import RATE
from serve_app.conversation.decisions import (
    Decision,
    Decisions,
    Discard,
    Duck,
    Hold,
    Interrupt,
    Judge,
    Judgement,
    NoWords,
    Overhear,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
)
from serve_app.conversation.speculation import Ration

SILENCE_S = 0.250
UNSURE_SILENCE_S = 0.350
"""The pause that ends a turn, and when the judge doubts that it did."""
RECOGNISE_AFTER = int(0.040 * RATE)
"""Quiet after which recognition starts, in case the turn is over: the silence buffer is then not idle time."""
LEAD_IN = int(0.100 * RATE)
"""Audio before the onset that the recogniser gets too: the detector may be 60 ms late on a soft start."""
RECOGNISE_EVERY = int(0.400 * RATE)
"""At most one recognition in this much audio: every gap between words would be one otherwise."""
OVERHEAR_EVERY = int(1.000 * RATE)
"""Of the caller's speech, from its beginning: what they have said so far is shown about this often."""
JUDGE_PAUSE_AFTER = int(0.200 * RATE)
"""Into a pause, when the judge is asked whether the turn is over: as late as leaves it time to answer."""
UNFINISHED_BELOW = 0.2
"""Of the judge's score: only a clear no holds the answer back."""
DUCK_AFTER = int(0.060 * RATE)
"""Voice over the agent for this long lowers the agent: on the wire within 80 ms of onset, heard one lead later."""
JUDGE_EVERY = int(0.100 * RATE)
JUDGE_WITHIN = int(0.350 * RATE)
"""An overlap is decided by then. Published detectors need 300-600 ms to tell "uh-huh" from "stop"."""
INTERRUPTS_FROM = int(0.240 * RATE)
"""Speech this long over the agent is an interruption, whatever the judge says."""
JUDGED_FROM = int(0.120 * RATE)
"""Less speech than this is no interruption: it is too little to judge. This much is one if the judge says so, or if
it still goes on when the overlap must be decided."""
QUIET_AGAIN = int(0.200 * RATE)
"""The overlap is over when nothing voice-like came for this long."""
STALLED_S = 0.700
"""No audio at all for this long beyond the silence buffer counts as silence: the client has stopped sending."""
HOLD_AFTER_S = 1.2
"""From the decision. Words that are later than this leave the caller in a silence that has to be filled: 2 s of it is
when people say "hello?"."""
RECOGNITION_BUDGET_S = 4.0
"""A recogniser that has not answered by then will not: the turn goes on without words."""
WORDLESS_IS_A_TURN = int(0.600 * RATE)
"""Speech this long in which no word was recognised deserves an answer all the same; less is a cough."""


class State(Enum):
    LISTENING = auto()  # nobody speaks
    CALLER = auto()  # the caller speaks
    PAUSE = auto()  # the caller is quiet, perhaps done
    HEARD = auto()  # the caller is done, the words are awaited
    THINKING = auto()  # the turn is the agent's, nothing audible yet
    AGENT = auto()  # the agent speaks
    OVERLAP = auto()  # the agent speaks, ducked, and the caller may be interrupting


_NOTHING: Decisions = []


class TurnTaking:
    """`silence_s`: the pause that ends a turn; `unsure_s`: when the judge calls the turn unfinished.
    `interruptible` False: the agent always finishes (no barge-in). `early`: what recognition before the end of a turn
    may cost; None: there is none. `overhears`: what the caller says is shown while they speak."""

    def __init__(
        self, *, silence_s: float, unsure_s: float, interruptible: bool = True, early: Ration | None = None
    ) -> None:
        self.state = State.LISTENING
        self.interruptible = interruptible
        self.overhears = False
        self._early = early
        self._silence = int(silence_s * RATE)
        self._unsure = int(unsure_s * RATE)
        self._arrived = 0.0  # loop clock, when the last frame came
        self._recorded = 0.0  # and when it was over at the caller's
        self._end = 0  # sample at which it ended
        self._onset = 0  # of the caller's present speech
        self._last_voiced = 0
        self._owed = False  # an answer was interrupted or dropped: the next turn gets one, words or not
        self._recognition = 0  # id of the newest
        self._recognised_at = -RECOGNISE_EVERY  # sample at which it was asked for
        self._asked = False  # recognition was asked for in this pause
        self._words: bool | None = None  # its result; None: awaited
        self._held = False  # the caller was told to wait for it
        self._overheard = 0  # id of the newest
        self._overheard_at = 0
        self._turn_end = 1.0  # the judge's view of this pause; nobody judged: over
        self._judge = 0  # id of the newest question
        self._judged_at = 0
        self._decided_at = 0.0
        self._overlap = 0  # sample at which the overlap began
        self._last_gate = 0
        self._gate_run = 0
        self._deaf = False  # the present noise has been judged already
        self._on_frame: dict[State, Callable[[Frame, float], Decisions]] = {
            State.LISTENING: self._while_listening,
            State.CALLER: self._while_caller,
            State.PAUSE: self._while_pause,
            State.HEARD: self._while_heard,
            State.THINKING: self._while_thinking,
            State.AGENT: self._while_agent,
            State.OVERLAP: self._while_overlap,
        }

    @property
    def recognition(self) -> int:
        """Id of the recognition that counts; reports of any other are void."""
        return self._recognition

    @property
    def judge(self) -> int:
        """Id of the question that counts."""
        return self._judge

    @property
    def overheard(self) -> int:
        """Id of the newest look at what the caller is saying; reports of others are void. 0: of all of them."""
        return self._overheard if self.state in (State.CALLER, State.PAUSE) else 0

    @property
    def speech_s(self) -> float:
        """Of the caller, in the present turn, its pauses included."""
        return self._speech() / RATE

    # ---- what happens

    def frame(self, frame: Frame, now: float, behind_s: float = 0.0) -> Decisions:
        """The next 20 ms of the caller's audio; `behind_s` of later audio came with it."""
        self._arrived, self._recorded, self._end = now, now - behind_s, frame.end
        return self._on_frame[self.state](frame, now)

    def recognised(self, recognition: int, *, words: bool, now: float) -> Decisions:
        """The recogniser answered, with words or without (or failed, which is without)."""
        if recognition != self._recognition or self._words is not None:
            return _NOTHING
        self._words = words
        if self.state is State.PAUSE and words:
            return [Prepare()]
        if self.state is State.HEARD:
            return self._conclude(now)
        return _NOTHING

    def judged(self, judge: int, judgement: Judgement) -> Decisions:
        if judge != self._judge:
            return _NOTHING
        if self.state is State.PAUSE:
            self._turn_end = judgement.turn_end
        elif self.state is State.OVERLAP and judgement.interruption >= 0.5 and self._speech() >= JUDGED_FROM:
            return self._interrupt() if self.interruptible else self._swell()
        return _NOTHING

    def typed(self) -> Decisions:
        """The user wrote a message: a turn without speech. Whatever was going on gives way to it."""
        decisions: Decisions = [Interrupt() if self.state in (State.AGENT, State.OVERLAP) else Discard()]
        self._void_recognition()
        self.state = State.THINKING
        return decisions

    def owe(self) -> None:
        """The caller could not be heard for a fault of ours: this turn gets an answer, words or not."""
        self._owed = True

    def answering(self) -> None:
        """The agent speaks of its own accord: a greeting, an apology."""
        self.state = State.THINKING

    def agent_started(self) -> None:
        if self.state is State.THINKING:
            self.state = State.AGENT
            self._owed = self._deaf = False
            self._gate_run = 0

    def agent_finished(self) -> None:
        """The caller has heard the end of the answer (or there was none)."""
        if self.state is State.OVERLAP and self._speech():
            self.state = State.CALLER
            self._void_recognition()
        elif self.state in (State.THINKING, State.AGENT, State.OVERLAP):
            self.state = State.LISTENING

    def deadline(self) -> float | None:
        """When `tick` must be called if nothing else happens first."""
        if self.state in (State.CALLER, State.PAUSE):
            missing = self._silence_needed() - (self._end - self._last_voiced)
            return self._arrived + max(0, missing) / RATE + STALLED_S
        if self.state is State.HEARD:
            return self._decided_at + (RECOGNITION_BUDGET_S if self._held else HOLD_AFTER_S)
        if self.state is State.OVERLAP:
            return self._arrived + JUDGE_WITHIN / RATE + STALLED_S
        return None

    def tick(self, now: float) -> Decisions:
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return _NOTHING
        if self.state is State.OVERLAP:
            return self._swell()
        if self.state is State.HEARD and self._held:
            return self._without_words(owed=True, overdue=True)
        if self.state is State.HEARD:
            self._held = self._owed = True
            return [Hold()]
        return self._decide(now)

    # ---- the caller's turn

    def _while_listening(self, frame: Frame, now: float) -> Decisions:
        if frame.voiced:
            self._begin(frame)
        return _NOTHING

    def _begin(self, frame: Frame) -> None:
        self.state = State.CALLER
        self._onset = frame.end - FRAME if frame.onset is None else frame.onset
        self._last_voiced = frame.end
        self._overheard_at = self._onset
        self._void_recognition()

    def _while_caller(self, frame: Frame, now: float) -> Decisions:
        if frame.voiced:
            self._last_voiced = frame.end
            return self._overhear(now)
        if frame.end - self._last_voiced >= RECOGNISE_AFTER:
            self.state = State.PAUSE
            self._void_recognition()
            return self._while_pause(frame, now)
        return _NOTHING

    def _while_pause(self, frame: Frame, now: float) -> Decisions:
        if frame.voiced:
            return self._go_on(frame)
        quiet = frame.end - self._last_voiced
        decisions = self._recognise() if not self._asked and self._may_recognise(now) else []
        if quiet >= JUDGE_PAUSE_AFTER and self._judged_at <= self._last_voiced:
            decisions.append(self._ask_judge())
        # An open gate may be the next word, which Silero takes its time to confirm.
        if quiet >= (self._unsure if frame.gate else self._silence_needed()):
            decisions += self._decide(now)
        return decisions

    def _go_on(self, frame: Frame) -> Decisions:
        self.state = State.CALLER
        self._last_voiced = frame.end
        void = self._asked
        self._void_recognition()
        return [Discard()] if void else _NOTHING

    def _silence_needed(self) -> int:
        return self._unsure if self._turn_end < UNFINISHED_BELOW else self._silence

    def _decide(self, now: float) -> Decisions:
        """The silence buffer is over: the turn is the agent's as soon as its words are there."""
        decisions = [] if self._asked else self._recognise()
        self.state = State.HEARD
        self._decided_at, self._held = now, False
        return decisions + (self._conclude(now) if self._words is not None else [])

    def _while_heard(self, frame: Frame, now: float) -> Decisions:
        return self._go_on(frame) if frame.voiced else _NOTHING

    def _conclude(self, now: float) -> Decisions:
        if self._words:
            self.state = State.THINKING
            return [TakeTurn(self._recorded - (self._end - self._last_voiced) / RATE)]
        return self._without_words(owed=self._owed or self._speech() >= WORDLESS_IS_A_TURN)

    def _without_words(self, *, owed: bool, overdue: bool = False) -> Decisions:
        self.state = State.LISTENING
        self._owed = False
        self._void_recognition()
        return [NoWords(owed, overdue)]

    def _while_thinking(self, frame: Frame, now: float) -> Decisions:
        """The caller goes on before anything was heard of the answer: it is one turn."""
        if not frame.voiced or not self.interruptible:
            return _NOTHING
        self._begin(frame)
        self._owed = True
        return [Discard()]

    # ---- recognition and judgement

    def _may_recognise(self, now: float) -> bool:
        return self._end - self._recognised_at >= RECOGNISE_EVERY and self._can_afford(now)

    def _can_afford(self, now: float) -> bool:
        return self._early is not None and self._early.take(now, (self._end - self._onset) / RATE)

    def _recognise(self) -> Decisions:
        self._asked = True
        self._recognition += 1
        self._recognised_at = self._end
        return [Recognise(self._recognition, max(0, self._onset - LEAD_IN), self._end)]

    def _overhear(self, now: float) -> Decisions:
        if not self.overhears or self._end - self._overheard_at < OVERHEAR_EVERY or not self._can_afford(now):
            return _NOTHING
        self._overheard += 1
        self._overheard_at = self._end
        return [Overhear(self._overheard, max(0, self._onset - LEAD_IN), self._end)]

    def _void_recognition(self) -> None:
        self._recognition += 1
        self._asked, self._words, self._turn_end = False, None, 1.0

    def _ask_judge(self) -> Decision:
        self._judged_at = self._end
        self._judge += 1
        return Judge(self._judge, self._onset, self._end, self.state is State.OVERLAP)

    # ---- overlap

    def _while_agent(self, frame: Frame, now: float) -> Decisions:
        if not self.interruptible:
            return _NOTHING
        self._note_gate(frame)
        if not frame.voiced and (self._deaf or self._gate_run < DUCK_AFTER):
            return _NOTHING
        self.state = State.OVERLAP
        self._overlap = frame.end - (FRAME if self._deaf else max(self._gate_run, FRAME))
        self._onset = self._last_voiced = self._judged_at = self._overlap
        return [Duck(), *self._while_overlap(frame, now)]

    def _note_gate(self, frame: Frame) -> None:
        if frame.gate:
            self._last_gate = frame.end
            self._gate_run += FRAME
        else:
            self._gate_run = 0
            self._deaf = self._deaf and frame.end - self._last_gate < QUIET_AGAIN

    def _while_overlap(self, frame: Frame, now: float) -> Decisions:
        if not self.interruptible:  # not any more: the agent has begun something that must not be interrupted
            return self._swell()
        if frame.gate:
            self._last_gate = frame.end
        if frame.voiced:
            self._onset = frame.onset if frame.onset is not None else self._onset
            self._last_voiced = frame.end
        if self._speech() >= INTERRUPTS_FROM:
            return self._interrupt()
        over = frame.end - self._overlap >= JUDGE_WITHIN
        if over and frame.voiced and self._speech() >= JUDGED_FROM:
            return self._interrupt()
        if over or frame.end - max(self._last_gate, self._last_voiced) >= QUIET_AGAIN:
            return self._swell()
        if self._speech() and frame.end - self._judged_at >= JUDGE_EVERY:
            return [self._ask_judge()]
        return _NOTHING

    def _speech(self) -> int:
        return self._last_voiced - self._onset

    def _interrupt(self) -> Decisions:
        self.state = State.CALLER
        self._owed = True
        self._void_recognition()
        return [Interrupt()]

    def _swell(self) -> Decisions:
        self.state = State.AGENT
        self._deaf, self._gate_run = True, 0
        return [Swell()]
