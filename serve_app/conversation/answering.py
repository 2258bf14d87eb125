"""The agent's side: each answer, from the question to the last sample heard, with the tools it uses on the way.

What the session reports comes in under the id of its reply. Reports about a reply that is gone are ignored.
"""

from collections.abc import Sequence

import msgspec

from serve_app.conversation.actions import Actions, End, Inspect, Stop, Think, Warm
from serve_app.conversation.agent import OnFailure
from serve_app.conversation.client_messages import ClientToolResult
from serve_app.conversation.delivery import REPLY_BUDGET_S, Delivery
from serve_app.conversation.dialogue import Dialogue, Message
from serve_app.conversation.fallback import Fallback
from serve_app.conversation.fillers import enough_fillers, filler, filler_due
from serve_app.conversation.guarding import CLASSIFIER, Guarding
from serve_app.conversation.identity import Identity
from serve_app.conversation.lines import line
from serve_app.conversation.notes import GO_ON_NOTE
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.past import Past, Unfinished
from serve_app.conversation.patience import Patience
from serve_app.conversation.playback import LEAD_S, LONG_LEAD_S, SpeechChunk
from serve_app.conversation.reply import Reply
from serve_app.conversation.server_messages import InternalTentativeAgentResponse, Interruption
from serve_app.conversation.speculation import Speculation, same_words
from serve_app.conversation.tool_use import Outcome
from serve_app.conversation.toolbox import Toolbox
from serve_app.conversation.tools import ToolCall
from serve_app.conversation.turn_metrics import TurnMetrics
from serve_app.conversation.turn_taking import TurnTaking
from serve_app.conversation.writing import Section, Writing
from serve_app.errors import HelloError, LanguageModelError, SpeechError, ToolError, recorded

MOST_ROUNDS = 8
"""Times that an answer may use tools: a model that goes on for ever is asked for words."""
LAST_WORDS = 25
"""Characters of a question, after which callers know what it asks: a second and a half."""
_LINES = {"retry": "trouble", "transfer": "transfer", "end": "no_service"}


class Answering:
    """`text_only`: answers are written, not spoken. `speculation`: what may be begun before an answer is wanted."""

    def __init__(
        self,
        identity: Identity,
        out: Outgoing,
        turns: TurnTaking,
        patience: Patience,
        guarding: Guarding,
        *,
        text_only: bool,
        speculation: Speculation = Speculation.TTS,
    ) -> None:
        self._identity = identity
        self._out = out
        self._turns = turns
        self._patience = patience
        self._text_only = text_only
        self._delivery = Delivery(out, turns, text_only=text_only, speculation=speculation)
        self._guarding = guarding
        self._toolbox = Toolbox(out, identity, guarding)
        self.dialogue = Dialogue(identity.prompt)
        self.reply: Reply | None = None
        self._replies = 0
        self._bad_line = False
        self._put_through = False  # to another agent, who has not answered yet

    # ---- what the session reports

    def heeds(self, reply_id: int) -> bool:
        """What the model brings for this reply is still wanted."""
        return self._heeded(reply_id) is not None

    def token(self, reply_id: int, text: str, now: float) -> Actions:
        if reply := self._heeded(reply_id):
            reply.token(text, now)
            self._mind_leak(reply, now)
            self._delivery.wrote(reply, now)
            if reply.refused:
                self._go_on(reply, now)
        return self.done()

    def reasoned(self, reply_id: int, text: str, now: float) -> Actions:
        if reply := self._heeded(reply_id):
            reply.reasoning += text
            self._delivery.wrote(reply, now)
        return self.done()

    def fell_back(self, reply_id: int, fallback: Fallback, now: float) -> Actions:
        """Another model or voice goes on in the place of one that failed."""
        if self._current(reply_id):
            self._out.log_fallback(fallback)
        return self.done()

    def called(self, reply_id: int, call: ToolCall, now: float) -> Actions:
        """The model wants this tool. Nothing happens before it has finished, and the turn is the agent's."""
        if reply := self._heeded(reply_id):
            reply.calls.append(call)
        return self.done()

    def answered(self, reply_id: int, now: float) -> Actions:
        """The model has finished."""
        if reply := self._heeded(reply_id):
            reply.thinking = False
            reply.settle(now)
            self._mind_leak(reply, now)
            if len(reply.rounds) >= MOST_ROUNDS or reply.toolless:
                reply.calls = []  # it was offered none
            if not reply.taken:
                self._out.send(InternalTentativeAgentResponse(reply.text))
            self._go_on(reply, now)
        return self.done()

    def answer_failed(self, reply_id: int, error: HelloError, now: float) -> Actions:
        """What was said so far stands, and an apology follows."""
        if reply := self._heeded(reply_id):
            self._out.log_error(error)
            reply.thinking, reply.calls, reply.broken = False, [], reply.broken or error
            reply.settle(now)
            self._mind_leak(reply, now)
            if reply.refused:
                self._go_on(reply, now)
            elif reply.taken:
                self._tell_broken(reply, error, now)
        return self.done()

    def suspected(self, reply_id: int, now: float) -> Actions:
        """A classifier takes the words that this reply answers for an attack."""
        if (reply := self._current(reply_id)) is None:
            self._guarding.tell("input", CLASSIFIER, action="late")  # all of it was heard before
            return self.done()
        reply.suspected = True
        if reply.taken:
            self._turn_away(reply, now)
        return self.done()

    def tool_answered(self, reply_id: int, call_id: str, outcome: Outcome, now: float) -> Actions:
        """A webhook did."""
        if reply := self._current(reply_id):
            for use in reply.pending:
                if use.call.id == call_id:
                    self._toolbox.settle(use, outcome, now)
            self._go_on(reply, now)
        return self.done()

    def client_answered(self, result: ClientToolResult, now: float) -> bool:
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
        """A clause is lost, by every voice there is: with it the rest of the answer."""
        if reply := self._current(reply_id):
            self._out.log_error(error)
            if reply.held:
                reply.clause_whole(clause)  # only the time could not be passed: there may be an answer yet
                return self.done()
            reply.broken = error
            if reply.taken:
                self._tell_broken(reply, error, now)
        return self.done()

    # ---- what the conversation decides

    def done(self) -> Actions:
        """All that is to be done now."""
        listed = Interruption.TYPE in self._out.events  # to do without the event is to do without it
        barge_in = listed and self._identity.agent.hello.overlap != "disabled"
        self._turns.interruptible = barge_in and not self.protected
        self._turns.manners = self._identity.manners
        return self._out.take()

    @property
    def protected(self) -> bool:
        """The caller cannot interrupt now."""
        reply = self.reply
        return reply is not None and (reply.protected or any(u.tool and u.tool.protected for u in reply.pending))

    def has_asked(self, now: float) -> bool:
        """What is being said is the end of a question."""
        reply = self.reply
        if reply is None or not reply.complete or not reply.text.endswith("?"):
            return False
        return len(reply.answer) - reply.playback.heard(now) <= LAST_WORDS

    @property
    def leaving(self) -> bool:
        """The last goodbye is being said: nothing can hold the agent back."""
        return self.reply is not None and self.reply.protected and self.reply.ends is not None

    def prepare(self, text: str, language: str, metrics: TurnMetrics, now: float, *, note: str = "") -> TurnMetrics:
        """Begin an answer to what the user may just have said, unless it has been begun. It is not heard, uses no tool
        and stands in no history before it is taken. `note`, for the model alone, says how far to trust the words: with
        one, no tool is used on them at all. Returns the answer's metrics."""
        prepared = self.reply
        fits = prepared and prepared.question is not None and same_words(prepared.question, text)
        if prepared and fits and (note or not prepared.toolless):  # words that were clear once are clear
            prepared.metrics.heard(metrics)
            return prepared.metrics
        self._identity.heard(language)
        reply = self._next_reply(metrics)
        reply.question, reply.toolless = text, bool(note)
        self._think(reply, _noted(self.dialogue.messages(and_then=text), note), now)
        if self._guarding.is_on:
            self._out.do(Inspect(reply.id, text))
        return metrics

    def take_turn(self, now: float) -> None:
        """The answer that was prepared is the one to give."""
        assert self.reply is not None
        self._release(self.reply, now)

    def hold(self, now: float) -> None:
        """The turn is the agent's, but the words to answer are late."""
        reply = self._next_reply(TurnMetrics())
        reply.held = True
        self._release(reply, now)
        self._fill_with(reply, line("one_moment", reply.language), now)
        self._play(reply, now)

    def fail(self, error: HelloError, now: float) -> None:
        """There can be no answer, for a fault of ours."""
        self._out.log_error(error)
        self._turns.answering()
        self._apologise(self._next_reply(TurnMetrics()), error, now)

    def answer(self, metrics: TurnMetrics, now: float, *, note: str = "", tools: bool = True) -> None:
        """An answer to the dialogue as it stands; `note` is for the model alone, and for this once."""
        reply = self._next_reply(metrics)
        reply.toolless = not tools
        self._think(reply, _noted(self.dialogue.messages(), note), now)
        self._turns.answering()
        self._release(reply, now)

    def deflect(self, metrics: TurnMetrics, now: float) -> None:
        """The caller's words are an attack: they are not answered, and the model never reads them."""
        self.dialogue.withhold()
        text, ends = self._guarding.instead(self._identity.language)
        self.say(text, now, protected=ends is not None, ends=ends, metrics=metrics)

    def say(
        self,
        text: str,
        now: float,
        *,
        protected: bool = False,
        ends: HelloError | None = None,
        metrics: TurnMetrics | None = None,
    ) -> None:
        """Words of the agent's own accord. `ends`: the call ends with this once they were heard. `metrics`: of the turn
        that they answer."""
        reply = self._next_reply(metrics or TurnMetrics())
        reply.protected, reply.ends = protected, ends
        reply.utter(text, now)
        self._turns.answering()
        self._complete(reply, now)
        self._release(reply, now)

    def go_on(self, unfinished: Unfinished, now: float) -> None:
        """With an answer that was begun elsewhere, under the same number."""
        self._replies = unfinished.turn - 1
        reply = self._next_reply(TurnMetrics())
        reply.go_on(unfinished.text, unfinished.heard, unfinished.rounds, now)
        reply.transfers_to, reply.protected = unfinished.transfers_to, unfinished.protected
        self._toolbox.go_on(reply, now)
        reply.ends = recorded(*unfinished.ends) if unfinished.ends else reply.ends
        self._turns.answering()
        if unfinished.whole or reply.last_word:
            self._complete(reply, now)
        else:
            note = GO_ON_NOTE if reply.answer[reply.last_use_at :].strip() else ""
            self._think(reply, _noted([*self.dialogue.messages(), *reply.history()], note), now)
        self._release(reply, now, [Section(*section) for section in unfinished.sections])

    def recalled(self, past: Past) -> None:
        """What was said elsewhere; the last answer, if that was not all of it, is gone on with."""
        self._replies = past.turns
        self._toolbox.recalled(past.client_calls)

    def resent(self, seconds: float, now: float) -> None:
        """So much of our voice was lost on the way, and leaves once more."""
        if self.reply:
            self.reply.playback.rewind(seconds, now)

    def interrupt(self, now: float) -> None:
        """The caller takes the floor: the voice stops."""
        reply = self._drop()
        if reply is None or reply.writing is None:
            return
        heard, fade = reply.heard(now), reply.playback.fade(now)
        reply.writing.close()
        reply.writing.announce(now)
        event_id = self._out.send_with_id(Interruption)
        if fade:
            reply.metrics.sounded(now)
        self._out.log("interruption", event_id=event_id, turn=reply.id, metrics=reply.metrics.interruption())
        if fade:
            self._delivery.send(reply, fade)
        self._cut(reply, reply.writing, heard, now)

    def duck(self, talked_over_at: float | None) -> None:
        """The caller makes a sound over the voice, since then. None: no other than before."""
        if reply := self.reply:
            reply.playback.duck()
            if talked_over_at is not None:
                reply.metrics.talk_over(talked_over_at)

    def yield_floor(self, now: float) -> None:
        """The caller takes the floor when the clause that is being said is over."""
        if reply := self.reply:
            reply.yield_floor()
            self._play(reply, now)

    def cut_off(self, now: float) -> None:
        """The answer ends here, for another reason than the caller's voice."""
        reply = self.reply
        if reply is None or not (reply.playback.started or self._text_only):
            self.discard()
            return
        self._drop()
        if reply.writing:
            self._cut(reply, reply.writing, reply.answer if self._text_only else reply.heard(now), now)

    def discard(self) -> None:
        """The answer is not needed. What tools did on the way is no less true."""
        reply = self._drop()
        if reply and reply.metrics.model_asked is not None:
            self._out.log("discarded", stage="llm", requests=1, tokens=reply.tokens, characters=reply.characters)
        if reply and reply.writing:
            reply.writing.stop()
            self._said(reply, reply.history("") if reply.rounds else [])

    def adapt(self, *, bad_line: bool) -> None:
        """On a bad line sound leaves earlier, and a quick model answers. The voice stays what it is: that would be
        heard."""
        self._bad_line = bad_line
        if self.reply:
            self.reply.playback.lead_s = self._lead_s

    # ---- time

    def deadline(self) -> float:
        reply = self.reply
        if reply is None:
            return float("inf")
        tools = (use.due for use in reply.pending)
        return min([self._delivery.deadline(reply), reply.due or float("inf"), self._filler_due(reply), *tools])

    def tick(self, now: float) -> None:
        if (reply := self.reply) and any(use.due <= now for use in reply.pending):
            self._toolbox.expire(reply, now)
            self._go_on(reply, now)
        if (reply := self.reply) and self._filler_due(reply) <= now:
            self._fill(reply, now)
        if reply := self.reply:
            self._play(reply, now)
        if (reply := self.reply) and reply.due is not None and now >= reply.due:
            self._give_up(reply, now)

    # ---- the reply under way

    def _current(self, reply_id: int) -> Reply | None:
        return self.reply if self.reply and self.reply.id == reply_id else None

    def _heeded(self, reply_id: int) -> Reply | None:
        """The one that the model still writes."""
        reply = self._current(reply_id)
        return None if reply is None or reply.refused else reply

    def _next_reply(self, metrics: TurnMetrics) -> Reply:
        """A new one, or the one that has passed the time until now."""
        if self.reply and self.reply.held:
            self.reply.held, self.reply.metrics = False, metrics
            return self.reply
        if self.reply:
            self.discard()
        self._replies += 1
        identity, sieve = self._identity, self._guarding.sieve()
        self.reply = Reply(self._replies, identity.language, identity.voice, metrics, sieve)
        self.reply.playback.lead_s = self._lead_s
        return self.reply

    @property
    def _lead_s(self) -> float:
        return LONG_LEAD_S if self._bad_line else LEAD_S

    def _release(self, reply: Reply, now: float, told: Sequence[Section] = ()) -> None:
        """The turn is the agent's: the reply may be heard, and do things. `told`: what the client knows of it."""
        reply.due = now + REPLY_BUDGET_S
        if not reply.taken:
            reply.taken, reply.taken_at, reply.writing = True, now, Writing(reply, self._out, told)
            reply.playback.release()
            if reply.suspected:
                self._turn_away(reply, now)
                if self.reply is not reply:
                    return
        elif reply.playback.plays_until > now:  # it has passed the time, and still does
            self._turns.agent_started()
        if reply.broken and not reply.apology:
            self._tell_broken(reply, reply.broken, now)
            return
        self._mind_leak(reply, now)
        if reply.complete and reply.writing:
            reply.writing.close()
        self._go_on(reply, now)

    def _drop(self) -> Reply | None:
        """The reply, if there is one: all work for it ends."""
        reply, self.reply = self.reply, None
        if reply:
            self._out.do(Stop(reply.id))
        return reply

    def _think(self, reply: Reply, messages: list[Message], now: float) -> None:
        if reply.metrics.model_asked is None:
            reply.metrics.model_asked = now
        reply.asked(now)
        tools = not reply.toolless and len(reply.rounds) < MOST_ROUNDS
        self._out.do(Think(reply.id, self._identity.request(messages, tools=tools, hurry=self._bad_line)))

    def _go_on(self, reply: Reply, now: float) -> None:
        """Whatever comes next: tools, the model again, or the end of the text."""
        if reply.yielded or (reply.refused and not reply.complete):
            return
        if reply.taken and not reply.thinking and reply.calls:
            self._use_tools(reply, now)
        waits = reply.thinking or reply.calls or reply.held or (reply.pending and not reply.ends)
        goes_on = not (waits or reply.complete or reply.broken)
        if goes_on and reply.using_tools and not reply.last_word:
            reply.due = now + REPLY_BUDGET_S
            self._think(reply, [*self.dialogue.messages(), *reply.history()], now)
        elif goes_on:
            self._complete(reply, now)
        self._play(reply, now)

    def _use_tools(self, reply: Reply, now: float) -> None:
        """What was said before them is a section of its own."""
        said = len(reply.answer)
        reply.flush(now)
        if reply.writing:
            reply.writing.close()
        self._delivery.record(reply)
        reply.due = None  # each tool has a time of its own
        before = reply.last_use_at
        self._toolbox.use(reply, reply.calls, now)
        self._follow_identity()
        reply.sieve = self._guarding.sieve()
        tools = [use.tool for use in reply.rounds[-1].uses if use.tool]
        if any(tool.interruption_mode == "disable_during_tool_and_turn" for tool in tools):
            reply.protected = True
        forced = any(tool.pre_tool_speech == "force" for tool in tools)
        if forced and said == before and reply.pending and not self._text_only:
            self._fill(reply, now)

    def _follow_identity(self) -> None:
        """A tool may have put another agent in its place."""
        if not self._text_only:
            self._out.do(Warm(self._identity.language, self._identity.voice))
        self.dialogue.prompt = self._identity.prompt
        self._patience.adopt(self._identity.agent.conversation_config.turn)

    def _complete(self, reply: Reply, now: float) -> None:
        if reply.wordless and not reply.silent and not reply.said_it_all:  # nothing to be spoken: no answer is none
            reply.utter(line("trouble", reply.language), now)
        reply.end(now)
        if reply.writing:
            reply.due = now + REPLY_BUDGET_S
            reply.writing.close()

    def _play(self, reply: Reply, now: float) -> None:
        if self._delivery.advance(reply, now):
            self._finish(reply, now)

    def _finish(self, reply: Reply, now: float) -> None:
        """The caller has heard, or read, the end of it."""
        if reply.yielded:
            self._drop()
            self._turns.agent_finished()
            if reply.writing:
                self._cut(reply, reply.writing, reply.heard(now), now)
            return
        if not self._text_only and not reply.playback.started and not reply.silent:
            error = SpeechError("the voice gave no sound")
            self._out.log_error(error)
            self._fail(error, now)
            return
        self._said(reply, reply.history())
        self._put_through = self._put_through and reply.apology
        if reply.writing:
            reply.writing.announce(now)
            reply.writing.complete()
        self.reply = None
        self._turns.agent_finished()
        self._patience.quiet_from(now)
        if reply.silent:
            self._patience.wait()
        if reply.hanging_up:
            self._toolbox.hang_up(reply.hanging_up, now)
        if reply.ends:
            self._out.do(End(reply.ends))
        elif reply.transfers_to:
            self._hand_over(reply.transfers_to, now)

    def _cut(self, reply: Reply, writing: Writing, heard: str, now: float) -> None:
        """The answer ended before its end: client, record and history learn what was heard of it."""
        writing.correct(heard, now)
        writing.complete()
        self._said(reply, reply.history(heard))

    def _said(self, reply: Reply, messages: list[Message]) -> None:
        """It is over, and this is what the dialogue keeps of it."""
        self.dialogue.agent_said(messages)
        self._out.log("said", turn=reply.id, messages=msgspec.to_builtins(messages))

    # ---- what takes long, and what fails

    def _filler_due(self, reply: Reply) -> float:
        if self._text_only:
            return float("inf")
        soft = self._identity.agent.conversation_config.turn.soft_timeout_config
        return filler_due(reply, soft, user_has_spoken=self.dialogue.user_has_spoken)

    def _fill(self, reply: Reply, now: float) -> None:
        """What there is of the answer passes the time best."""
        soft = self._identity.agent.conversation_config.turn.soft_timeout_config
        if reply.unspoken:
            reply.flush(now)
        elif enough_fillers(reply, soft):
            self._give_up(reply, now)
            return
        else:
            self._fill_with(reply, filler(reply, soft), now)
        self._play(reply, now)

    def _fill_with(self, reply: Reply, text: str, now: float) -> None:
        """A section of its own: the answer is another thing."""
        if reply.writing:
            reply.writing.close()
        reply.fill(text, now)
        if reply.writing:
            reply.writing.close()

    def _give_up(self, reply: Reply, now: float) -> None:
        """No (further) sound within the budget."""
        fault = LanguageModelError if reply.thinking else SpeechError
        error = fault(f"no answer, or no more of it, within {REPLY_BUDGET_S:.0f} s")
        self._out.log_error(error)
        self._fail(error, now)

    def _tell_broken(self, reply: Reply, error: HelloError, now: float) -> None:
        """What the model gave before it failed can still be said; without a voice nothing can."""
        if isinstance(error, SpeechError):
            self._fail(error, now)
        else:
            self._apologise(reply, error, now)

    def _fail(self, error: HelloError, now: float) -> None:
        """The answer ends where it is, and an apology takes its place. If that is what failed, the call is over:
        nothing can be heard any more."""
        reply = self.reply
        self.cut_off(now)
        if reply and (reply.last_resort or (reply.ends and not reply.apology)):
            if not reply.playback.started:
                self._out.log("none_response", turn=reply.id)
            self._out.do(End(error))
        else:
            self._turns.answering()
            self._apologise(self._next_reply(TurnMetrics()), error, now)

    def _apologise(self, reply: Reply, error: HelloError, now: float) -> None:
        """In this reply, after what it has said: then what the agent has set for such a case."""
        wanted = self._identity.agent.hello.on_failure
        if wanted.action == "transfer" and self._put_through:
            wanted = OnFailure()  # agents that fail alike would put the caller through to each other for ever
        self._out.log("failure", action=wanted.action, error_type=error.error_type)
        reply.apology, reply.protected = True, wanted.action != "retry"
        reply.ends = error if wanted.action == "end" else None
        reply.transfers_to = wanted.agent_id if wanted.action == "transfer" else ""
        reply.flush(now)
        reply.last_resort = reply.idle
        if reply.writing:
            reply.writing.close()
        reply.utter(wanted.message or line(_LINES[wanted.action], reply.language), now)
        self._complete(reply, now)
        self._release(reply, now)

    # ---- what the guards find

    def _turn_away(self, reply: Reply, now: float) -> None:
        """The answer to an attack ends where it is."""
        self._guarding.tell("input", CLASSIFIER)
        if self._guarding.acts:
            self.cut_off(now)
            self.deflect(TurnMetrics(caller_stopped=reply.metrics.caller_stopped, decided=now), now)

    def _mind_leak(self, reply: Reply, now: float) -> None:
        """What the model gives away is not let out, nor what it says after it: a set sentence takes its place."""
        if reply.leak is None or reply.leak_told or not reply.taken:
            return
        reply.leak_told = True
        self._guarding.tell("output", reply.leak, turn=reply.id)
        if reply.complete or not reply.refused:
            return
        text, reply.ends = self._guarding.instead(reply.language)
        reply.thinking, reply.calls, reply.protected = False, [], reply.ends is not None
        if reply.writing:
            reply.writing.close()
        reply.utter(text, now)
        self._complete(reply, now)

    def _hand_over(self, agent_id: str, now: float) -> None:
        """The call is the other agent's."""
        self._put_through = True
        try:
            self._identity.become(agent_id)
        except ToolError as e:
            self.fail(e, now)
            return
        self._out.log("transfer", agent_id=agent_id, redact=self._identity.agent.redacts)
        self._follow_identity()
        if self._identity.first_message:
            self.say(self._identity.first_message, now)
        elif self.dialogue.user_has_spoken:
            self.answer(TurnMetrics(decided=now), now)


def _noted(messages: list[Message], note: str) -> list[Message]:
    return [*messages, Message("system", note)] if note else messages
