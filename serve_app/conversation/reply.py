"""One answer, from the first token to the last sample heard. The tools it uses on the way are part of it."""

from typing import TYPE_CHECKING, NamedTuple

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation.agent import Voice
from serve_app.conversation.dialogue import Message
from serve_app.conversation.guards.output import Sieve
from serve_app.conversation.phrasing import Clause, Phrasing
from serve_app.conversation.playback import Playback, SpeechChunk
from serve_app.conversation.tool_use import Round, ToolUse
from serve_app.conversation.tools import ToolCall
from serve_app.conversation.turn_metrics import TurnMetrics
from serve_app.errors import HelloError

if TYPE_CHECKING:
    from serve_app.conversation.writing import Writing

CLAUSES_AHEAD = 2
"""The clause that plays and the one after it: more would be synthesised in vain at every interruption."""


class Wanted(NamedTuple):
    """A clause, and how it is to be spoken: a transfer changes the voice in mid-answer."""

    number: int
    clause: Clause
    language: str
    voice: Voice


class Reply:
    """`id` names it in every report about it: what comes late for an answer that is gone has nowhere to go."""

    def __init__(
        self, reply_id: int, language: str, voice: Voice, metrics: TurnMetrics, sieve: Sieve | None = None
    ) -> None:
        self.id = reply_id
        self.language = language
        self.voice = voice
        self.metrics = metrics
        self.sieve = sieve  # what the model's words go through
        self.leak_told = False  # that something was found in it
        self.suspected = False  # the words that it answers are an attack, as a classifier sees it
        self.playback = Playback(AudioFormat.parse(voice.agent_output_audio_format))
        self.question: str | None = None  # the words of the caller's that it answers
        self.toolless = False  # those words are not to be trusted: no tool is used on them
        self.held = False  # those words are awaited: it only passes the time
        self.broken: HelloError | None = None  # it cannot be given, which is no matter before it is taken
        self.apology = False  # it says that there will be no answer
        self.last_resort = False  # and nothing else any more
        self.tokens = 0  # that the model gave
        self.characters = 0  # that the voice was asked for
        self.taken = False  # the turn is decided: it may be heard
        self.taken_at = 0.0
        self.due: float | None = None  # when it has failed if nothing further is heard of it
        self.writing: Writing | None = None  # once it is taken
        self.complete = False  # all its text is known
        self.thinking = False  # the model is at it
        self.using_tools = False  # it waits for their outcome before it goes on
        self.protected = False  # the caller cannot interrupt it
        self.silent = False  # the agent skips its turn
        self.closing = False  # what was said is all: the model is not asked again
        self.yielded = False  # the caller wants the floor: it ends with the clause that is being said
        self.ends: HelloError | None = None  # with which the call is over once it was heard
        self.transfers_to = ""  # the agent who takes the call over then
        self.hanging_up: ToolUse | None = None  # the use of end_call: its outcome is told then
        self.calls: list[ToolCall] = []  # of the generation under way
        self.rounds: list[Round] = []
        self.reasoning = ""
        self.fillers = 0  # said to pass the time
        self.filled_at = 0.0  # when the last of them was begun
        self.fillings: set[int] = set()  # where in the answer they end
        self.soft_fillers = 0  # of them, since the model was asked last or gave a word
        self.asked_at = 0.0  # when the model was asked last
        self.busy_since = 0.0  # from when the caller has waited for tools
        self._fresh = True  # the model has said nothing yet, this time
        self._worded = False  # since the model was asked last
        self._ever_worded = False
        self._phrasing = Phrasing()
        self._waiting: list[Wanted] = []
        self._clauses = 0
        self._speaking: list[Clause] = []  # asked of the voice, in order
        self._unrecorded: list[Clause] = []
        self.recorded = False  # all of its text is in the record

    @property
    def text(self) -> str:
        return self._phrasing.answer.strip()

    @property
    def wordless(self) -> bool:
        """The model, asked last, has given nothing that could be spoken. (Nor is what passed the time an answer.)"""
        return not self._worded

    @property
    def mute(self) -> bool:
        """Nothing that answers has been said at all."""
        return not self._ever_worded

    @property
    def untouched(self) -> bool:
        """The model, asked last, has said nothing yet."""
        return self._fresh

    @property
    def last_use_at(self) -> int:
        """Where in the answer tools were used last."""
        return self.rounds[-1].end if self.rounds else 0

    @property
    def pending(self) -> list[ToolUse]:
        """Calls whose outcome is waited for."""
        last = self.rounds[-1].pending if self.rounds else []
        return [use for use in last if use is not self.hanging_up]

    @property
    def said_it_all(self) -> bool:
        """The model, asked again after tools that give no answer, need not add to what it said before them."""
        last = self.rounds[-1].uses if self.rounds else []
        return bool(last) and not self.mute and all(use.outcome is not None and use.outcome.is_final for use in last)

    @property
    def last_word(self) -> bool:
        """What was said is all: the model is not asked again after its tools."""
        return self.ends is not None or self.silent or self.closing

    @property
    def unspoken(self) -> bool:
        """There are words that make no clause yet."""
        return self._phrasing.pending

    @property
    def leak(self) -> str | None:
        """What the model's words give away that they must not."""
        return self.sieve.leak if self.sieve else None

    @property
    def refused(self) -> bool:
        """Nothing more of the model's words is let out."""
        return self.sieve is not None and self.sieve.is_closed

    @property
    def idle(self) -> bool:
        """Nothing of it is being said, or about to be."""
        return not self._waiting and not self.playback.unfinished

    def asked(self, now: float) -> None:
        """The model was asked (again)."""
        self.thinking, self.using_tools, self._fresh, self._worded = True, False, True, False
        self.soft_fillers, self.calls, self.asked_at = 0, [], now

    def yield_floor(self) -> None:
        self.yielded = self.complete = True
        self._waiting.clear()
        self.playback.yield_floor()

    def token(self, text: str, now: float) -> None:
        if self.yielded:
            return
        self.tokens += 1
        if self.metrics.first_token is None:
            self.metrics.first_token = now
        if self._fresh:
            text = self._apart(text)
            self._fresh = not text
        if any(c.isalnum() for c in text):
            self._worded = self._ever_worded = True
            self.soft_fillers = 0
        self._phrase(self._phrasing.feed(self.sieve.feed(text) if self.sieve else text), now)

    def settle(self, now: float) -> None:
        """No more of the model's words come: what is held back of them goes out."""
        if self.sieve:
            self._phrase(self._phrasing.feed(self.sieve.finish()), now)

    def utter(self, text: str, now: float) -> None:
        """Words of the agent's own accord, in place of the model's."""
        self._worded = self._ever_worded = True
        self._insert(text, now)

    def fill(self, text: str, now: float) -> None:
        """Words that pass the time: they are no answer."""
        self.fillers += 1
        self.soft_fillers += not self.pending
        self.filled_at = now
        clause_at = self.metrics.first_clause  # latencies are the answer's
        self._insert(text, now)
        self.metrics.first_clause = clause_at
        self.fillings.add(len(self.answer))

    def answers(self, end: int) -> bool:
        """Whether what ends there in the text is more than a filler."""
        return end > max(self.fillings, default=0)

    def _insert(self, text: str, now: float) -> None:
        """As a clause of their own. The model's words go on after it."""
        self.flush(now)
        self._phrase(self._phrasing.feed(self._apart(text)), now)
        self.flush(now)

    def flush(self, now: float) -> None:
        """What came so far is spoken, though more may come."""
        self._phrase(self._phrasing.finish(), now)
        self._fresh = True

    def call_tools(self, uses: list[ToolUse], now: float) -> None:
        start = self.last_use_at
        self.busy_since = self.busy_since if self.rounds else now
        self.rounds.append(Round(start, len(self._phrasing.answer), uses))
        self.using_tools, self.calls = True, []

    def end(self, now: float) -> None:
        """All has been said."""
        self.complete = True
        self.metrics.answer_complete = now
        self._phrase(self._phrasing.finish(), now)
        self._close_if_asked()

    def _apart(self, text: str) -> str:
        """Text that is no continuation of what stands before it."""
        text, answer = text.lstrip(), self._phrasing.answer
        return f" {text}" if text and answer and not answer[-1].isspace() else text

    def _phrase(self, clauses: list[Clause], now: float) -> None:
        if clauses and self.metrics.first_clause is None:
            self.metrics.first_clause = now
        self._unrecorded += clauses
        for clause in clauses:
            self._waiting.append(Wanted(self._clauses, clause, self.language, self.voice))
            self._clauses += 1

    def next_clauses(self, now: float) -> list[Wanted]:
        """Clauses to ask of the voice now; they then follow in the playback."""
        asked = []
        while self._waiting and self.playback.unfinished < CLAUSES_AHEAD:
            wanted = self._waiting.pop(0)
            self.playback.expect(wanted.clause)
            self._speaking.append(wanted.clause)
            self.characters += len(wanted.clause.text)
            asked.append(wanted)
        if self.metrics.voice_asked is None and any(self.answers(wanted.clause.end) for wanted in asked):
            self.metrics.voice_asked = now
        self._close_if_asked()
        return asked

    def unrecorded_clauses(self) -> list[Clause]:
        """Those that have come since the last time."""
        clauses, self._unrecorded = self._unrecorded, []
        return clauses

    def go_on(self, text: str, heard: int, rounds: list[Round], now: float) -> None:
        """It was begun elsewhere: this is what is known of it, so many characters of that were heard, and these tools
        were used."""
        self._phrasing.feed(text[:heard])
        self._phrasing.finish()
        self._phrase(self._phrasing.feed(text[heard:]), now)
        self.playback.skip(heard)
        self.rounds = rounds
        self._worded = self._ever_worded = any(c.isalnum() for c in text)

    def spoken(self, number: int, chunk: SpeechChunk, now: float) -> None:
        if self.metrics.first_speech is None and self.answers(self._speaking[number].end):
            self.metrics.first_speech = now
        self.playback.add(self._speaking[number], chunk)

    def clause_whole(self, number: int) -> None:
        self.playback.whole(self._speaking[number])

    def heard(self, now: float) -> str:
        """What the caller has heard: a prefix of the text, in whole words."""
        answer, end = self._phrasing.answer, self.playback.heard(now)
        while 0 < end < len(answer) and not answer[end].isspace():
            end -= 1
        return answer[:end].rstrip()

    @property
    def answer(self) -> str:
        """Every character so far: offsets are into this."""
        return self._phrasing.answer

    def history(self, heard: str | None = None) -> list[Message]:
        """The answer as the dialogue keeps it: what was heard of it (None: all there is), and the tools it used."""
        answer = self._phrasing.answer if heard is None else heard
        messages = [message for r in self.rounds for message in r.messages(answer[r.start : r.end].strip())]
        rest = answer[self.last_use_at :].strip()
        return [*messages, Message("assistant", rest)] if rest else messages

    def _close_if_asked(self) -> None:
        if self.complete and not self._waiting:
            self.playback.close()
