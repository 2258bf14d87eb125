"""Who may speak now. The caller's audio frames go in, and what recogniser, judge and answer report; decisions come out.

The rules of this file:
- Everything about whose turn it is lives here; what is said, and how it sounds, is decided elsewhere.
- Time in audio is counted in audio: clients send lumps of 32 ms or 250 ms. The loop clock (`now`) is only for what may
  never come: a client that stops sending, a recogniser that does not answer.
- Silence is counted from the last voiced frame.
- At most one of caller and agent has the floor; an overlap ends, within `overlap.JUDGE_WITHIN`, with one of them.
- No state waits for an event that may never come: see `deadline`.
- The state changes along TRANSITIONS only; docs/turn-taking.md draws them.
"""

from collections.abc import Callable

from serve_app.audio.detector import Frame
from serve_app.audio.echo import LIKELY
from serve_app.audio.framing import FRAME_SAMPLES as FRAME
from serve_app.audio.framing import RATE
from serve_app.conversation.decisions import (
    Backchannel,
    Decisions,
    Discard,
    Duck,
    Hold,
    Ignore,
    Interrupt,
    Judged,
    Judgement,
    NoWords,
    Prepare,
    Swell,
    TakeTurn,
    Words,
    Yield,
)
from serve_app.conversation.endings import Ending
from serve_app.conversation.endpointing import SILENCE_S, silence_needed
from serve_app.conversation.loudness import Loudness
from serve_app.conversation.manners import Manners
from serve_app.conversation.overlap import QUIET_AGAIN, VOICED_FROM, WORDS_FROM, Overlap, Verdict
from serve_app.conversation.questions import Questions
from serve_app.conversation.recognition import Recognition
from serve_app.conversation.speculation import Ration
from serve_app.conversation.turn_states import TRANSITIONS, Event, State

RECOGNISE_AFTER = int(0.040 * RATE)
"""Quiet after which recognition starts, in case the turn is over: the silence buffer is then not idle time."""
DUCK_AFTER = int(0.060 * RATE)
"""Sound over the agent for this long lowers the agent: on the wire within 80 ms of onset, heard one lead later."""
ECHO_LASTS = int(0.500 * RATE)
OTHERS_AFTER_ECHO = int(0.160 * RATE)
"""So soon after our own voice came back, a sound is taken for somebody else's when it has not been ours for this long:
one in five frames of an echo goes unrecognised."""
FORGOTTEN_AFTER = int(1.000 * RATE)
"""Quiet after which a sound that did not interrupt is no part of what the caller says next."""
OVERLAP_OVER = int(0.120 * RATE)
"""Quiet after which what was said over the agent is recognised: it may have been "wait!"."""
BACKCHANNEL_FROM = int(3.000 * RATE)
"""Of the caller's speech: who speaks this long likes to know that somebody listens."""
BACKCHANNEL_EVERY = int(6.000 * RATE)
"""More of it would be heard as impatience."""
BACKCHANNEL_AT = int(0.200 * RATE)
"""Into a pause: people murmur where the other takes breath (Ward and Tsukahara, Journal of Pragmatics 32, 2000)."""
BACKCHANNEL_PAUSE_S = 0.500
"""The pause must be good for this long: the caller has plainly not finished."""
MAY_BE_A_WORD = int(0.300 * RATE)
"""A sound this long holds the end of a turn back: Silero confirms a word 50-300 ms after it began."""
STALLED_S = 0.700
"""No audio at all for this long beyond the shortest silence counts as silence: the client has stopped sending."""
HOLD_AFTER_S = 1.2
"""From the end of the shortest silence. Words that are later than this leave the caller in a silence that has to be
filled: 2 s of it is when people say "hello?"."""
HOLD_AT_LEAST_S = 0.2
"""And from the decision: the words may be about to come."""
RECOGNITION_BUDGET_S = 4.0
"""A recogniser that has not answered by then will not: the turn goes on without words."""
WORDLESS_IS_A_TURN = int(1.600 * RATE)
"""Speech this long, at the caller's level, in which no word was recognised deserves an answer all the same; less is a
cough, a laugh, or a voice in the background."""

_NOTHING: Decisions = []


class TurnTaking:
    """`manners`: how the agent takes turns. `interruptible` False: what it says now must not be interrupted. `early`:
    what recognition before the end of a turn may cost; None: there is none. `overhears`: what the caller says is shown
    while they speak."""

    def __init__(self, *, manners: Manners | None = None, early: Ration | None = None) -> None:
        self.state = State.LISTENING
        self.manners = manners or Manners()
        self.interruptible = True
        self.overhears = False
        self._arrived = 0.0  # loop clock, when the last frame came
        self._recorded = 0.0  # and when it was over at the caller's
        self._end = 0  # sample at which it ended
        self._onset = 0  # of the caller's present speech
        self._last_voiced = 0
        self._loudness = Loudness()
        self._owed = False  # an answer was interrupted or dropped: the next turn gets one, words or not
        self._recognition = Recognition(early)
        self._questions = Questions()
        self._held = False  # the caller was told to wait for the words
        self._agent_ended = 0.0  # loop clock: the caller's newest audio, when the agent was heard to its end
        self._waits_from = 0.0  # loop clock: the shortest silence was over
        self._overlap: Overlap | None = None  # the present or latest sound over this answer
        self._spoken_from: int | None = None  # onset of speech over the agent whose words are awaited
        self._yielding = False  # the agent finishes its clause, then the floor is the caller's
        self._last_gate = 0
        self._gate_run = 0
        self._deaf = False  # the present noise has been judged already
        self._echo_at = -ECHO_LASTS  # our own voice was heard last
        self._backchanneled_at = -BACKCHANNEL_EVERY
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
        return self._recognition.id

    @property
    def recognised_until(self) -> int:
        """The caller's sample up to which recognition was last asked for."""
        return self._recognition.until

    @property
    def judge(self) -> int:
        """Id of the newest question. Answers to those before it count too, if they are about the same sound."""
        return self._questions.id

    @property
    def overheard(self) -> int:
        """Id of the newest look at what the caller is saying; reports of others are void. 0: of all of them."""
        return self._recognition.look if self.state in (State.CALLER, State.PAUSE) else 0

    @property
    def agent_speaks(self) -> bool:
        return self.state in (State.AGENT, State.OVERLAP)

    @property
    def speech(self) -> int | None:
        """Onset of the caller's speech, while they have the floor."""
        return self._onset if self.state in (State.CALLER, State.PAUSE) else None

    @property
    def talked_over_at(self) -> float | None:
        """When the latest sound over the agent began at the caller's, on the loop clock."""
        return None if self._overlap is None else self._recorded - (self._end - self._overlap.began) / RATE

    @property
    def speech_goes_on(self) -> bool:
        """What was said over the agent was recognised in part: there is more of it."""
        return self._overlap is not None and not self._overlap.asked

    @property
    def speech_s(self) -> float:
        """Of the caller, in the present turn or over the agent, its pauses included."""
        if self.agent_speaks:
            return self._overlap.speech / RATE if self._overlap else 0.0
        return self._speech() / RATE

    # ---- what happens

    def frame(self, frame: Frame, now: float, behind_s: float = 0.0) -> Decisions:
        """The next 20 ms of the caller's audio; `behind_s` of later audio came with it."""
        self._arrived, self._recorded, self._end = now, now - behind_s, frame.end
        self._note_gate(frame)
        if self.state not in (State.CALLER, State.PAUSE, State.HEARD):
            if frame.echo >= LIKELY:
                return self._hear_ourselves()
            if self._gate_run < OTHERS_AFTER_ECHO and frame.end - self._echo_at < ECHO_LASTS:
                return _NOTHING
        return self._on_frame[self.state](frame, now)

    def recognised(self, recognition: int, words: Words, now: float, ending: Ending | None = None) -> Decisions:
        """The recogniser answered (or failed, which is without words). `ending`: what they say of the turn's end."""
        if not self._recognition.answered(recognition, words, ending):
            return _NOTHING
        if self.agent_speaks:
            return self._recognised_over_agent()
        if self.state is State.PAUSE and words is not Words.NONE:
            return [Prepare()]
        if self.state is State.HEARD and self._may_go_on(now):
            self._to(Event.UNFINISHED)
            return [Prepare()]
        if self.state is State.HEARD:
            return self._conclude()
        return _NOTHING

    def judged(self, judge: int, judgement: Judgement) -> Decisions:
        if not self._questions.counts(judge):
            return _NOTHING
        if self.state is State.PAUSE:
            self._questions.turn_end = judgement.turn_end
        elif self.agent_speaks and self._overlap and self._overlap.quiet(self._end) < FORGOTTEN_AFTER:
            alone = self._end - self._echo_at >= ECHO_LASTS  # else the judge has heard the agent too
            self._overlap.score, self._overlap.answer = judgement.interruption if alone else 0.0, judge
            return self._settle_overlap(self._overlap) if self.interruptible and not self._yielding else _NOTHING
        return _NOTHING

    def typed(self) -> Decisions:
        """The user wrote a message: a turn without speech. Whatever was going on gives way to it."""
        decisions: Decisions = [Interrupt() if self.agent_speaks else Discard()]
        self._forget()
        self.answering()
        return decisions

    def owe(self) -> None:
        """The caller could not be heard for a fault of ours: this turn gets an answer, words or not."""
        self._owed = self._owed or not self.agent_speaks

    def answering(self) -> None:
        """The agent speaks of its own accord: a greeting, an apology."""
        self.state = State.THINKING

    def agent_started(self) -> None:
        if self.state is State.THINKING:
            self._to(Event.FIRST_AUDIO)
            self._owed = self._deaf = self._yielding = False
            self._gate_run = 0
            self._overlap = self._spoken_from = None
            self._forget()

    def agent_finished(self) -> None:
        """The caller has heard the end of the answer (or there was none). What they said over it is not lost."""
        if self.agent_speaks and self._overlap and self._goes_on_after(self._overlap):
            self._to(Event.HANDOVER)
            self._take_over(self._overlap)
        elif self.state in (State.THINKING, State.AGENT, State.OVERLAP):
            self._to(Event.END_OF_ANSWER)
            self._forget()
        self._overlap, self._spoken_from, self._yielding = None, None, False
        self._agent_ended = self._arrived

    def deadline(self) -> float | None:
        """When `tick` must be called if nothing else happens first."""
        if self.state in (State.CALLER, State.PAUSE):
            quiet_s = (self._end - self._last_voiced) / RATE
            missing_s = self._silence_needed() / RATE - quiet_s
            return self._arrived + max(missing_s, max(0.0, SILENCE_S - quiet_s) + STALLED_S)
        if self.state is State.HEARD:
            return self._waits_from + (RECOGNITION_BUDGET_S if self._held else HOLD_AFTER_S)
        if self.state is State.OVERLAP:
            return self._arrived + STALLED_S
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

    def _to(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state][event]

    # ---- the caller's turn

    def _while_listening(self, frame: Frame, now: float) -> Decisions:
        if frame.voiced:
            self._begin(frame)
        return _NOTHING

    def _begin(self, frame: Frame) -> None:
        self._to(Event.VOICE)
        self._onset = frame.end - max(FRAME, self._gate_run) if frame.onset is None else frame.onset
        self._last_voiced = frame.end
        self._loudness.begin()
        self._begin_listening()

    def _while_caller(self, frame: Frame, now: float) -> Decisions:
        if frame.voiced:
            self._last_voiced = frame.end
            self._loudness.note(frame)
            return self._recognition.overhear(self._onset, self._end, now) if self.overhears else _NOTHING
        if frame.end - self._last_voiced >= RECOGNISE_AFTER:
            self._to(Event.QUIET)
            self._forget()
            return self._while_pause(frame, now)
        return _NOTHING

    def _while_pause(self, frame: Frame, now: float) -> Decisions:
        if frame.voiced:
            return self._go_on(frame)
        quiet = frame.end - self._last_voiced
        decisions = self._recognise() if not self._recognition.asked and self._may_recognise(now) else []
        decisions += self._questions.ask_of_pause(quiet, self._onset, self._end)
        # An open gate may be the next word, which Silero takes its time to confirm.
        if quiet >= self._silence_needed() and not 0 < self._gate_run <= MAY_BE_A_WORD:
            return decisions + self._decide(now)
        return decisions + self._murmur(quiet)

    def _go_on(self, frame: Frame) -> Decisions:
        told = self._tell_judgement()
        self._to(Event.VOICE)
        self._last_voiced = frame.end
        void = self._recognition.asked
        self._forget()
        return [*told, Discard()] if void else told

    def _silence_needed(self) -> int:
        return int(silence_needed(self.manners, self._recognition.ending, self._questions.turn_end) * RATE)

    def _murmur(self, quiet: int) -> Decisions:
        """A sign that somebody listens, where the caller pauses in a long turn and is plainly not done."""
        due = self._end - self._backchanneled_at >= BACKCHANNEL_EVERY and self._speech() >= BACKCHANNEL_FROM
        if not (self.manners.backchannels and due and quiet >= BACKCHANNEL_AT):
            return []
        if silence_needed(self.manners, self._recognition.ending, self._questions.turn_end) < BACKCHANNEL_PAUSE_S:
            return []
        self._backchanneled_at = self._end
        return [Backchannel()]

    def _decide(self, now: float) -> Decisions:
        """The silence is enough: the turn is the agent's as soon as its words are there."""
        decisions = [*self._tell_judgement(), *([] if self._recognition.asked else self._recognise())]
        self._to(Event.SILENCE)
        waited_s = now - self._arrived + (self._end - self._last_voiced) / RATE - SILENCE_S
        waited_s = max(0.0, min(waited_s, now - self._agent_ended, HOLD_AFTER_S - HOLD_AT_LEAST_S))
        self._waits_from, self._held = now - waited_s, False
        return decisions + (self._conclude() if self._recognition.words is not None else [])

    def _while_heard(self, frame: Frame, now: float) -> Decisions:
        return self._go_on(frame) if frame.voiced else _NOTHING

    def _conclude(self) -> Decisions:
        if self._recognition.words is Words.NONE:
            long = self._speech() >= WORDLESS_IS_A_TURN and not self._loudness.faint
            return self._without_words(owed=self._owed or long)
        self._to(Event.WORDS)
        return [TakeTurn(self._recorded - (self._end - self._last_voiced) / RATE)]

    def _may_go_on(self, now: float) -> bool:
        """The words, which have just come, ask for more silence than was thought; there are frames to count it by."""
        more = self._end - self._last_voiced < self._silence_needed() and self._recognition.words is not Words.NONE
        return more and not self._held and now - self._arrived < STALLED_S

    def _without_words(self, *, owed: bool, overdue: bool = False) -> Decisions:
        self._to(Event.NO_WORDS)
        self._owed = False
        self._forget()
        return [NoWords(owed, overdue)]

    def _while_thinking(self, frame: Frame, now: float) -> Decisions:
        """The caller goes on before anything was heard of the answer: it is one turn."""
        if not frame.voiced or not self.interruptible:
            return _NOTHING
        self._begin(frame)
        self._owed = True
        return [Discard()]

    # ---- recognition and judgement

    def _begin_listening(self) -> None:
        self._recognition.begin(self._onset)
        self._questions.forget()

    def _may_recognise(self, now: float) -> bool:
        return self._recognition.may_begin(self._onset, self._end, now)

    def _recognise(self) -> Decisions:
        return self._recognition.ask(self._onset, self._end)

    def _forget(self) -> None:
        """What was asked about the sound until now."""
        self._recognition.forget()
        self._questions.forget()

    def _tell_judgement(self) -> Decisions:
        """What the judge's view of this pause has changed."""
        turn_end = self._questions.turn_end
        if turn_end is None or self.state is not State.PAUSE:
            return []
        rules, decided = (silence_needed(self.manners, self._recognition.ending, view) for view in (None, turn_end))
        return [Judged("pause", f"{rules:.2f} s", f"{decided:.2f} s")]

    # ---- overlap

    def _while_agent(self, frame: Frame, now: float) -> Decisions:
        if not self.interruptible or self._yielding:
            if self.manners.keeps_overlap or self._yielding:
                self._keep(frame)
            return _NOTHING
        goes_on = self._overlap is not None and self._overlap.quiet(frame.end) < QUIET_AGAIN
        if self._overlap and (decisions := self._listen_on(self._overlap, frame, now)):
            return decisions
        sounds = frame.voiced if self._deaf else frame.voiced or self._gate_run >= DUCK_AFTER
        if goes_on or not sounds:
            return _NOTHING
        self._to(Event.SOUND)
        began = frame.end - (FRAME if self._deaf else max(self._gate_run, FRAME))
        self._overlap = Overlap(began, self._loudness.usual_db, now - (frame.end - began) / RATE)
        self._questions.forget()
        return [Duck(), *self._while_overlap(frame, now)]

    def _hear_ourselves(self) -> Decisions:
        """What sounded until now was an echo of the agent's voice."""
        self._echo_at, self._gate_run = self._end, 0
        decisions = self._swell() if self.state is State.OVERLAP else []
        awaited = self._overlap is not None and self._overlap.recognised_until  # its words may be the caller's
        if not (awaited or self._yielding) and self.interruptible:
            self._overlap = None
        return decisions

    def _note_gate(self, frame: Frame) -> None:
        if frame.gate:
            self._last_gate = frame.end
            self._gate_run += FRAME
        else:
            self._gate_run = 0
            self._deaf = self._deaf and frame.end - self._last_gate < QUIET_AGAIN

    def _keep(self, frame: Frame) -> None:
        """What is said now is a turn after the answer."""
        if frame.voiced and self._overlap is None:
            self._overlap = Overlap(frame.end - FRAME, self._loudness.usual_db)
        if self._overlap:
            self._overlap.note(frame)

    def _while_overlap(self, frame: Frame, now: float) -> Decisions:
        assert self._overlap is not None
        if not self.interruptible:  # not any more: the agent has begun something that must not be interrupted
            return self._swell()
        self._overlap.note(frame)
        asked = self._have_judged(self._overlap)
        return asked + self._settle_overlap(self._overlap)

    def _have_judged(self, overlap: Overlap) -> Decisions:
        if not overlap.to_be_judged(self._end):
            return []
        overlap.judged_at = self._end
        asked = self._questions.ask(overlap.onset, self._end, overlap=True)
        overlap.question = asked.id
        return [asked]

    def _settle_overlap(self, overlap: Overlap) -> Decisions:
        by_rules, verdict = (overlap.verdict(self._end, self.manners.overlap, s) for s in (None, overlap.score))
        if verdict is None:
            return _NOTHING
        if verdict is Verdict.FALSE_ALARM and (self.state is State.AGENT or overlap.waits(self._arrived)):
            return _NOTHING
        rules = by_rules.name.lower() if by_rules else "undecided"
        told: Decisions = [] if overlap.score is None else [Judged("overlap", rules, verdict.name.lower())]
        return told + (self._interrupt(overlap) if verdict is Verdict.INTERRUPTION else self._swell())

    def _listen_on(self, overlap: Overlap, frame: Frame, now: float) -> Decisions:
        """The sound was a false alarm so far. Speech that goes on interrupts after all, and so do words."""
        quiet = overlap.quiet(frame.end)
        if quiet >= FORGOTTEN_AFTER and self._spoken_from is None:
            self._overlap = None
        decisions: Decisions = []
        if quiet < QUIET_AGAIN:  # else what sounds now is another matter
            overlap.note(frame)
            if frame.voiced and (decisions := self._settle_overlap(overlap)):
                return decisions
            decisions = self._have_judged(overlap)
        over = frame.end - overlap.last_voiced >= OVERLAP_OVER
        enough = overlap.speech >= (VOICED_FROM if over else WORDS_FROM)
        ready = enough and not overlap.asked and self._recognition.words is None
        if not ready or not self._may_recognise(now):
            return decisions
        overlap.recognised_until = frame.end
        self._spoken_from = self._onset = overlap.onset
        return decisions + self._recognise()

    def _recognised_over_agent(self) -> Decisions:
        """What was said over the agent a moment ago."""
        overlap, words, ending = self._overlap, self._recognition.words, self._recognition.ending
        if words is not Words.SPEECH or not overlap or not self.interruptible or self._yielding:
            self._recognition.forget()
            self._spoken_from = None
            if not overlap or not overlap.asked:  # it goes on: all of it will be recognised
                return _NOTHING
            self._overlap = None
            return [Ignore()] if words is Words.BACKCHANNEL else _NOTHING
        over = overlap.asked and self._end - overlap.last_voiced >= RECOGNISE_AFTER
        decisions = self._interrupt(overlap, over=over)
        if self.state is not State.PAUSE:  # more words come, or the floor is not theirs yet
            return decisions
        self._recognition.asked, self._recognition.words, self._recognition.ending = True, words, ending
        return [*decisions, Prepare()]

    def _interrupt(self, overlap: Overlap, *, over: bool = False) -> Decisions:
        self._owed = True
        if self.manners.overlap == "hold_floor":
            self._yielding = True
            return [*(self._swell() if self.state is State.OVERLAP else []), Yield()]
        ducked = self.state is State.OVERLAP
        self._to(Event.INTERRUPTED if over else Event.INTERRUPTION)
        self._take_over(overlap)
        self._overlap = None
        return [Interrupt()] if ducked else [Duck(), Interrupt()]

    def _take_over(self, overlap: Overlap) -> None:
        """What was said over the agent is the beginning of the caller's turn."""
        self._onset = overlap.onset if self._spoken_from is None else self._spoken_from
        self._last_voiced = overlap.last_voiced
        self._loudness.faint, self._spoken_from = overlap.faint, None
        self._begin_listening()

    def _goes_on_after(self, overlap: Overlap) -> bool:
        """The sound over the agent is a turn of the caller's when the agent has ended."""
        if self._yielding or not self.interruptible:
            return (self._yielding or self.manners.keeps_overlap) and overlap.speech >= VOICED_FROM
        return overlap.speech > 0 and overlap.quiet(self._end) < FORGOTTEN_AFTER

    def _swell(self) -> Decisions:
        self._to(Event.FALSE_ALARM)
        self._deaf, self._gate_run = True, 0
        return [Swell()]

    def _speech(self) -> int:
        return self._last_voiced - self._onset
