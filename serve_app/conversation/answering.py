"""The agent's side: each answer, from the question to the last sample heard, with the tools it uses on the way.

What the session reports comes in under the id of its reply. Reports about a reply that is gone are ignored.
"""

from msgspec import UNSET

from serve_app.conversation import protocol
from serve_app.conversation.actions import Actions, End, Speak, Stop, Think
from serve_app.conversation.dialogue import Dialogue, Message
from serve_app.conversation.fallback import Fallback
from serve_app.conversation.identity import Identity
from serve_app.conversation.lines import line
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.patience import Patience
from serve_app.conversation.playback import Piece, SpeechChunk
from serve_app.conversation.reply import Reply
from serve_app.conversation.tool_use import Outcome
from serve_app.conversation.toolbox import Toolbox
from serve_app.conversation.tools import ToolCall
from serve_app.conversation.turn_metrics import TurnMetrics
from serve_app.conversation.turn_taking import TurnTaking
from serve_app.conversation.writing import Writing
from serve_app.errors import HelloError, LanguageModelError, SpeechError

REPLY_BUDGET_S = 10.0
"""An answer without a (further) sound for this long has failed: providers have tighter budgets of their own."""
MOST_ROUNDS = 8
"""Times that an answer may use tools: a model that goes on for ever is asked for words."""
TOOL_PATIENCE_S = 2.0
"""Silence while tools run, until the agent says that it is on it: about where callers ask "hello?"."""
STILL_BUSY_S = 8.0
"""And until it says so again."""
LAST_TOOLS_S = 5.0
"""After the last word, for tools that were called together with end_call."""
HANG_UP_S = 0.3
"""After the last word: clients play a little behind our clock, and what ends the call cuts them off."""


class Answering:
    """`text_only`: answers are written, not spoken."""

    def __init__(
        self, identity: Identity, out: Outgoing, turns: TurnTaking, patience: Patience, *, text_only: bool
    ) -> None:
        self._identity = identity
        self._out = out
        self._turns = turns
        self._patience = patience
        self._text_only = text_only
        self._toolbox = Toolbox(out, identity)
        self.dialogue = Dialogue(identity.prompt)
        self.reply: Reply | None = None
        self._replies = 0
        self._due: float | None = None  # when the reply has failed if nothing further is heard of it
        self._writing: Writing | None = None  # of the reply, once it is taken
        self._taken_at = 0.0

    # ---- what the session reports

    def token(self, reply_id: int, text: str, now: float) -> Actions:
        if reply := self._current(reply_id):
            reply.token(text, now)
            if self._text_only and reply.taken:
                self._due = now + REPLY_BUDGET_S
            self._written(reply)
            self._ask_voice(reply, now)
        return self.done()

    def reasoned(self, reply_id: int, text: str, now: float) -> Actions:
        if reply := self._current(reply_id):
            reply.reasoning += text
            self._written(reply)
        return self.done()

    def fell_back(self, reply_id: int, fallback: Fallback, now: float) -> Actions:
        """Another model or voice goes on in the place of one that failed."""
        if self._current(reply_id):
            self._out.log_fallback(fallback)
        return self.done()

    def called(self, reply_id: int, call: ToolCall, now: float) -> Actions:
        """The model wants this tool. Nothing happens before it has finished, and the turn is the agent's."""
        if reply := self._current(reply_id):
            reply.calls.append(call)
        return self.done()

    def answered(self, reply_id: int, now: float) -> Actions:
        """The model has finished."""
        if reply := self._current(reply_id):
            reply.thinking = False
            if len(reply.rounds) >= MOST_ROUNDS:
                reply.calls = []  # it was offered none
            if not reply.taken:
                self._out.send(protocol.InternalTentativeAgentResponse(reply.text))
            self._go_on(reply, now)
        return self.done()

    def answer_failed(self, reply_id: int, error: HelloError, now: float) -> Actions:
        """What was said so far stands; if that is nothing, an apology takes its place."""
        if reply := self._current(reply_id):
            self._out.log_error(error)
            reply.thinking, reply.calls = False, []
            self._go_on(reply, now)
        return self.done()

    def tool_answered(self, reply_id: int, call_id: str, outcome: Outcome, now: float) -> Actions:
        """A webhook did."""
        if reply := self._current(reply_id):
            for use in reply.pending:
                if use.call.id == call_id:
                    self._toolbox.settle(use, outcome, now)
            self._go_on(reply, now)
        return self.done()

    def client_answered(self, result: protocol.ClientToolResult, now: float) -> bool:
        """False: to a call that was never made."""
        known = self._toolbox.answered(self.reply, result, now)
        if self.reply:
            self._go_on(self.reply, now)
        return known

    def spoken(self, reply_id: int, clause: int, chunk: SpeechChunk, now: float) -> Actions:
        if reply := self._current(reply_id):
            reply.spoken(clause, chunk, now)
            self._play(reply, now)
        return self.done()

    def clause_spoken(self, reply_id: int, clause: int, now: float) -> Actions:
        if reply := self._current(reply_id):
            reply.clause_whole(clause)
            self._play(reply, now)
        return self.done()

    def speech_failed(self, reply_id: int, clause: int, error: HelloError, now: float) -> Actions:
        """A clause is lost. If nothing at all can be heard of an answer, the caller is told and the call ends."""
        if reply := self._current(reply_id):
            reply.clause_whole(clause)
            if reply.taken and reply.playback.drained and not reply.playback.started:
                self._out.do(End(error))
            else:
                self._out.log_error(error)
                self._play(reply, now)
        return self.done()

    # ---- what the conversation decides

    def done(self) -> Actions:
        """All that is to be done now."""
        barge_in = protocol.Interruption.TYPE in self._out.events  # to do without the event is to do without it
        self._turns.interruptible = barge_in and not self.protected
        return self._out.take()

    @property
    def protected(self) -> bool:
        """The caller cannot interrupt now."""
        reply = self.reply
        return reply is not None and (reply.protected or any(u.tool and u.tool.protected for u in reply.pending))

    @property
    def leaving(self) -> bool:
        """The last goodbye is being said: nothing can hold the agent back."""
        return self.reply is not None and self.reply.protected and self.reply.ends is not None

    def prepare(self, text: str, language: str, metrics: TurnMetrics, now: float) -> None:
        """Begin an answer to what the user may just have said. It is not heard, uses no tool and stands in no history
        before it is released."""
        self._identity.heard(language)
        reply = self._new_reply(metrics)
        self._think(reply, self.dialogue.messages(and_then=text), now)

    def take_turn(self, now: float) -> None:
        """The answer that was prepared is the one to give."""
        assert self.reply is not None
        self._release(self.reply, now)

    def answer(self, metrics: TurnMetrics, now: float, *, note: str = "") -> None:
        """An answer to the dialogue as it stands; `note` is for the model alone, and for this once."""
        reply = self._new_reply(metrics)
        messages = self.dialogue.messages()
        self._think(reply, [*messages, Message("system", note)] if note else messages, now)
        self._turns.answering()
        self._release(reply, now)

    def say(self, text: str, now: float, *, protected: bool = False, ends: HelloError | None = None) -> None:
        """Words of the agent's own accord. `ends`: the call ends with this once they were heard."""
        reply = self._new_reply(TurnMetrics())
        reply.protected, reply.ends = protected, ends
        reply.utter(text, now)
        self._turns.answering()
        self._complete(reply, now)
        self._release(reply, now)

    def interrupt(self, now: float) -> None:
        """The caller takes the floor: the voice stops."""
        reply, writing = self._drop()
        if reply is None or writing is None:
            return
        heard, fade = reply.heard(now), reply.playback.fade()
        writing.close()
        writing.announce(now)
        event_id = self._out.send_with_id(protocol.Interruption)
        self._out.log("interruption", event_id=event_id, turn=reply.id)
        if fade:
            self._send_audio(reply, fade)
        self._cut(reply, writing, heard, now)

    def cut_off(self, now: float) -> None:
        """The answer ends here, for another reason than the caller's voice."""
        reply = self.reply
        if reply is None or not (reply.playback.started or self._text_only):
            self.discard()
            return
        _, writing = self._drop()
        if writing:
            self._cut(reply, writing, reply.answer if self._text_only else reply.heard(now), now)

    def discard(self) -> None:
        """The answer is not needed. What tools did on the way is no less true."""
        reply, writing = self._drop()
        if reply and writing:
            writing.stop()
            self.dialogue.agent_said(reply.history("") if reply.rounds else [])

    # ---- time

    def deadline(self) -> float:
        reply = self.reply
        if reply is None:
            return float("inf")
        playing = None if self._text_only else reply.playback.deadline()
        if playing is not None and reply.playback.drained:
            playing += self._linger(reply)
        wakes = [wake for wake in (playing, self._due) if wake is not None]
        return min([*wakes, self._filler_due(reply), *(use.due for use in reply.pending)], default=float("inf"))

    def tick(self, now: float) -> None:
        if (reply := self.reply) and any(use.due <= now for use in reply.pending):
            self._toolbox.expire(reply, now)
            self._go_on(reply, now)
        if (reply := self.reply) and self._filler_due(reply) <= now:
            self._fill(reply, now)
        if reply := self.reply:
            self._play(reply, now)
        if self._due is not None and now >= self._due:
            self._give_up(now)

    # ---- the reply under way

    def _current(self, reply_id: int) -> Reply | None:
        return self.reply if self.reply and self.reply.id == reply_id else None

    def _new_reply(self, metrics: TurnMetrics) -> Reply:
        self.discard()
        self._replies += 1
        self.reply = Reply(self._replies, self._identity.language, self._identity.voice, metrics)
        return self.reply

    def _release(self, reply: Reply, now: float) -> None:
        """The turn is the agent's: the reply may be heard, and do things."""
        reply.taken, self._taken_at = True, now
        self._writing = Writing(reply, self._out)
        self._due = now + REPLY_BUDGET_S
        reply.playback.release()
        if reply.complete:
            self._writing.close()
        self._go_on(reply, now)

    def _drop(self) -> tuple[Reply | None, Writing | None]:
        """The reply, if there is one, and its writing, if it was taken: all work for it ends."""
        reply, writing = self.reply, self._writing
        self.reply = self._writing = self._due = None
        if reply:
            self._out.do(Stop(reply.id))
        return reply, writing

    def _think(self, reply: Reply, messages: list[Message], now: float) -> None:
        if reply.metrics.model_asked is None:
            reply.metrics.model_asked = now
        reply.asked(now)
        self._out.do(Think(reply.id, self._identity.request(messages, tools=len(reply.rounds) < MOST_ROUNDS)))

    def _go_on(self, reply: Reply, now: float) -> None:
        """Whatever comes next: tools, the model again, or the end of the text."""
        if reply.taken and not reply.thinking and reply.calls:
            self._use_tools(reply, now)
        waits = reply.thinking or reply.complete or reply.calls or (reply.pending and not reply.ends)
        if not waits and reply.using_tools and not reply.last_word:
            self._due = now + REPLY_BUDGET_S
            self._think(reply, [*self.dialogue.messages(), *reply.history()], now)
        elif not waits:
            self._complete(reply, now)
        self._play(reply, now)

    def _use_tools(self, reply: Reply, now: float) -> None:
        """What was said before them is a section of its own."""
        said = len(reply.answer)
        reply.flush(now)
        if self._writing:
            self._writing.close()
        self._due = None  # each tool has a time of its own
        before = reply.last_use_at
        self._toolbox.use(reply, reply.calls, now)
        self._follow_identity()
        tools = [use.tool for use in reply.rounds[-1].uses if use.tool]
        if any(tool.interruption_mode == "disable_during_tool_and_turn" for tool in tools):
            reply.protected = True
        forced = any(tool.pre_tool_speech == "force" for tool in tools)
        if forced and said == before and reply.pending and not self._text_only:
            self._fill(reply, now)

    def _follow_identity(self) -> None:
        """A tool may have put another agent in its place."""
        self.dialogue.prompt = self._identity.prompt
        self._patience.adopt(self._identity.agent.conversation_config.turn)

    def _complete(self, reply: Reply, now: float) -> None:
        if reply.wordless and not reply.silent and not reply.said_it_all:  # nothing to be spoken: no answer is none
            reply.utter(line("trouble", reply.language), now)
        reply.end(now)
        if self._writing:
            self._due = now + REPLY_BUDGET_S
            self._writing.close()

    def _written(self, reply: Reply) -> None:
        if self._writing:
            self._writing.advance()
            if self._text_only:
                self._turns.agent_started()

    def _play(self, reply: Reply, now: float) -> None:
        """Ask the voice for what is next, send what is due, and note the end."""
        self._written(reply)
        if self._text_only:
            self._deliver(reply, now)
            return
        self._ask_voice(reply, now)
        pieces = reply.playback.take(now)
        if pieces:
            self._due = None if reply.pending else now + REPLY_BUDGET_S
            self._note_first_audio(reply, now)
        if self._writing and reply.playback.started:
            self._writing.announce(now)  # the text goes just before the sound
        for piece in pieces:
            self._send_audio(reply, piece)
        self._ask_voice(reply, now)
        if reply.taken and reply.complete and reply.playback.finished(now - self._linger(reply)):
            self._finish(reply, now)

    def _linger(self, reply: Reply) -> float:
        """How long after its last word a call that ends is kept open."""
        if not reply.ends or not reply.playback.started:
            return 0.0
        return LAST_TOOLS_S if reply.pending else HANG_UP_S

    def _deliver(self, reply: Reply, now: float) -> None:
        """In writing."""
        if self._writing:
            self._writing.announce(now)
            if reply.complete:
                self._finish(reply, now)

    def _ask_voice(self, reply: Reply, now: float) -> None:
        wanted = [] if self._text_only else reply.next_clauses(now)
        for number, clause, language, voice in wanted:
            self._out.do(Speak(reply.id, number, clause.text, language, voice))

    def _send_audio(self, reply: Reply, piece: Piece) -> None:
        alignment = protocol.AudioAlignment.of(piece.alignment) if piece.alignment else UNSET
        event_id = self._out.send_with_id(lambda i: protocol.Audio(piece.audio, i, alignment))
        self._out.log("audio", event_id=event_id, turn=reply.id, start=piece.start, end=piece.end)

    def _note_first_audio(self, reply: Reply, now: float) -> None:
        if reply.metrics.first_audio is None:
            reply.metrics.first_audio = now
            self._turns.agent_started()

    def _finish(self, reply: Reply, now: float) -> None:
        """The caller has heard, or read, the end of it."""
        if not self._text_only and not reply.playback.started and not reply.silent:
            self._drop()
            self._out.do(End(SpeechError("the voice gave no sound")))
            return
        self.dialogue.agent_said(reply.history())
        if self._writing:
            self._writing.complete()
        self.reply = self._writing = self._due = None
        self._turns.agent_finished()
        self._patience.quiet_from(now)
        if reply.silent:
            self._patience.wait()
        if reply.hanging_up:
            self._toolbox.hang_up(reply.hanging_up, now)
        if reply.ends:
            self._out.do(End(reply.ends))

    def _cut(self, reply: Reply, writing: Writing, heard: str, now: float) -> None:
        """The answer ended before its end: client, record and history learn what was heard of it."""
        writing.correct(heard, now)
        writing.complete()
        self.dialogue.agent_said(reply.history(heard))

    # ---- what takes long

    def _filler_due(self, reply: Reply) -> float:
        """When the agent says something to pass the time."""
        if self._text_only or not reply.taken or reply.complete or not reply.idle:
            return float("inf")
        quiet_from = max(reply.filled_at, reply.playback.plays_until)
        if reply.pending:
            silent = any(use.tool and use.tool.pre_tool_speech == "off" for use in reply.pending)
            patience = STILL_BUSY_S if reply.fillers else TOOL_PATIENCE_S
            return float("inf") if silent else max(quiet_from, reply.busy_since) + patience
        soft = self._identity.agent.conversation_config.turn.soft_timeout_config
        enough = reply.soft_fillers >= soft.max_soft_timeouts_per_generation
        too_early = soft.disable_until_first_user_message and not self.dialogue.user_has_spoken
        if soft.timeout_seconds <= 0 or enough or too_early or not (reply.thinking and reply.untouched):
            return float("inf")
        return max(quiet_from, reply.asked_at, self._taken_at) + soft.timeout_seconds

    def _fill(self, reply: Reply, now: float) -> None:
        if reply.pending:
            text = line("still_busy" if reply.fillers else "one_moment", reply.language)
        else:
            soft = self._identity.agent.conversation_config.turn.soft_timeout_config
            messages = [text for text in (soft.message, *soft.additional_soft_timeout_messages) if text]
            text = (messages or [line("one_moment", reply.language)])[: reply.soft_fillers + 1][-1]
            reply.soft_fillers += 1
        reply.fill(text, now)
        if self._writing:
            self._writing.close()  # the answer is another thing
        self._play(reply, now)

    def _give_up(self, now: float) -> None:
        """No (further) sound within the budget."""
        reply, self._due = self.reply, None
        if reply is None:
            return
        late = f"within {REPLY_BUDGET_S:.0f} s"
        mute = not self._text_only and not reply.playback.started and reply.metrics.first_clause is not None
        if mute:
            self._out.do(End(SpeechError(f"no sound from the voice {late}")))
        elif reply.wordless and reply.thinking:
            self._out.log_error(LanguageModelError(f"no answer from the language model {late}"))
            self.cut_off(now)
            self.say(line("trouble", self._identity.language), now)
        elif reply.thinking and not reply.playback.started and not self._text_only:  # too little for a clause
            self._out.log_error(LanguageModelError(f"the answer did not go on {late}"))
            said = reply.text
            self.discard()
            self.say(said, now)
        else:  # what came is the answer
            fault = LanguageModelError if reply.thinking else SpeechError
            self._out.log_error(fault(f"the answer did not go on {late}"))
            self.cut_off(now)
            self._turns.agent_finished()
            self._patience.quiet_from(now)
            if reply.ends:
                self._out.do(End(reply.ends))
