"""The whole conversation as one pure machine: what happens goes in with `now`, what to do comes out as actions.

It joins turn-taking (who), answering (what), and the wire. It performs nothing itself: the session does, and reports
back under the id that the action carried; what concerns an answer goes straight to `answering`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from serve_app.audio.detector import Frame
from serve_app.audio.framing import RATE
from serve_app.conversation import opening
from serve_app.conversation.actions import Actions, End, StopRecognising, Warm
from serve_app.conversation.agent import Agent, ConversationConfig
from serve_app.conversation.answering import Answering
from serve_app.conversation.backchannels import Backchannels
from serve_app.conversation.client_messages import (
    ClientMessage,
    ClientToolResult,
    ContextualUpdate,
    ConversationInitiation,
    Feedback,
    McpToolApprovalResult,
    MultimodalMessage,
    Pong,
    SourceInfo,
    UserActivity,
    UserAudioChunk,
    UserMessage,
)
from serve_app.conversation.decisions import (
    Backchannel,
    Decisions,
    Discard,
    Duck,
    Hold,
    Ignore,
    Interrupt,
    Judge,
    Judged,
    Judgement,
    NoWords,
    Overhear,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
    Words,
    Yield,
)
from serve_app.conversation.dialogue import Transcript
from serve_app.conversation.dynamic_variables import Variables
from serve_app.conversation.endings import ending
from serve_app.conversation.guarding import Guarding
from serve_app.conversation.hearing import Hearing
from serve_app.conversation.heartbeat import PING_EVERY_S, Heartbeat
from serve_app.conversation.identity import Identity
from serve_app.conversation.ignore_terms import IgnoreTerms
from serve_app.conversation.line_quality import LineQuality
from serve_app.conversation.lines import line
from serve_app.conversation.notes import SILENT_NOTE
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.past import Past
from serve_app.conversation.patience import Overdue, Patience
from serve_app.conversation.server_messages import (
    ConversationInitiationMetadata,
    InternalTurnProbability,
    Ping,
    Resume,
    TentativeUserTranscript,
    UserTranscript,
    VadScore,
)
from serve_app.conversation.speculation import Ration, Speculation
from serve_app.conversation.turn_metrics import TurnMetrics
from serve_app.conversation.turn_states import State
from serve_app.conversation.turn_taking import RECOGNITION_BUDGET_S, TurnTaking
from serve_app.errors import CallerSilent, ClientError, Gone, HelloError, Silent, TimeIsUp, TranscriptionError

SCORE_EVERY = 5
"""Frames in each `vad_score`: ten a second are what a level meter can show."""
JUDGES_MESSAGES = 6
"""Of the dialogue, that the judge of a pause gets to read: what a turn answers is in the last one or two."""
_NOTHING: Actions = []


class Conversation:
    """`agents` are all there are, this one under `agent_id`. Formats are those its file names, checked when it was
    loaded. `system`: variables that only the session knows. `authorization_method`: ElevenLabs' name for how the
    client was let in; `tenant`: on whose account. `ticket`: what the record should know of the token with which the
    client may come back."""

    def __init__(
        self,
        conversation_id: str,
        agent_id: str,
        agents: Mapping[str, Agent],
        *,
        system: Variables | None = None,
        ping_every_s: float = PING_EVERY_S,
        authorization_method: str = "public",
        speculation: Speculation = Speculation.TTS,
        ration: Ration | None = None,
        tenant: str = "",
        ticket: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = conversation_id
        self._agent_id = agent_id
        self._agents = agents
        self._authorization_method = authorization_method
        self._tenant = tenant
        self._ticket = ticket
        self._heard_before_ms = 0  # of the caller's audio, elsewhere
        self._audio_until_ms = 0  # and until the end of their last turn
        own = {"system__agent_id": agent_id, "system__conversation_id": conversation_id}
        self._system = {**own, **(system or {})}
        self._out = Outgoing()
        self._speculation = speculation
        early = (ration or Ration()) if speculation is not Speculation.OFF else None
        self._turns = TurnTaking(early=early)
        self._heartbeat = Heartbeat(ping_every_s)
        self._metrics = TurnMetrics()  # of the turn under way
        self._audio_waited = 0.0  # at most, in it
        self._hearing = Hearing(self._out)
        self._scores: list[float] = []
        self._begun = False
        self._deaf_told = False

    @property
    def keywords(self) -> tuple[str, ...]:
        """Words that the recogniser should expect."""
        return self._identity.agent.conversation_config.asr.keywords

    @property
    def spoken_language(self) -> str | None:
        """ISO 639-1, if it is known before it is heard: an agent of one language is spoken to in that."""
        languages = self._identity.agent.languages
        return languages[0].partition("-")[0] if len(languages) == 1 else None

    @property
    def context(self) -> dict[str, Any]:
        """What the judge may know besides the audio: fields of its Question."""
        transcript = self._hearing.transcript
        return {
            "words": transcript.text if transcript else "",
            "language": self._identity.language,
            "dialogue": tuple(self.answering.dialogue.messages()[-JUDGES_MESSAGES:]),
        }

    # ---- the caller

    def open(self, initiation: ConversationInitiation, now: float, resume: Resume | UnsetType = UNSET) -> Actions:
        """The client is there. Metadata is the first thing it gets, unless this raises: OverrideError and
        MissingVariable refuse the conversation."""
        config = self._begin(initiation, now)
        self._log_start(initiation, config)
        self._out.send(self.metadata(resume))
        for error in opening.not_honoured(initiation):
            self._out.refuse(error)
        self._warm()
        if first_message := self._identity.first_message:
            self.answering.say(first_message, now, protected=config.agent.disable_first_message_interruptions)
        return self.answering.done()

    def go_on(self, past: Past, now: float, resume: Resume, away_s: float) -> Actions:
        """The client is back, with a replica that knows the conversation from its record alone."""
        self._begin(past.initiation, now - past.seconds)
        self._heartbeat.start(now)
        self._heard_before_ms = self._audio_until_ms = past.audio_ms
        self._out.event_id = past.newest_event_id
        unfinished = past.unfinished()
        past.recall(self._identity, self.answering.dialogue, but=unfinished)
        self.answering.recalled(past)
        self._patience.adopt(self._identity.agent.conversation_config.turn)
        self._patience.resumed(now, begun=self.answering.dialogue.begun)
        self._out.send(self.metadata(resume))
        for message in past.lost_messages():
            self._out.send(message)
        self._warm()
        if unfinished:
            self.answering.go_on(unfinished, now)
            if self.answering.leaving:
                self._patience.finished()
        elif self.answering.dialogue.awaits_answer:
            self.answering.answer(TurnMetrics(decided=now), now)
        self._log_resumed(past.last_event_id, same_replica=False, away_s=away_s, lost_events=past.lost_events)
        return self.answering.done()

    def reconnected(self, last_event_id: int, resent_s: float, now: float, away_s: float) -> Actions:
        """A connection took the place of one that was lost, with which so much of our voice was: it is sent again."""
        self._heartbeat.start(now)
        self._quality.reconnected(now)
        self.answering.resent(resent_s, now)
        self._log_resumed(last_event_id, same_replica=True, away_s=away_s, lost_events=0)
        return self.answering.done()

    def _log_resumed(self, last_event_id: int, *, same_replica: bool, away_s: float, lost_events: int) -> None:
        self._out.log(
            "resumed",
            agent_id=self._agent_id,
            last_event_id=last_event_id,
            same_replica=same_replica,
            away_secs=round(away_s, 3),
            lost_events=lost_events,
        )

    def metadata(self, resume: Resume | UnsetType = UNSET) -> ConversationInitiationMetadata:
        config = self._agents[self._agent_id].conversation_config
        formats = config.tts.agent_output_audio_format, config.asr.user_input_audio_format
        return ConversationInitiationMetadata(self.id, *formats, resume)

    @property
    def audio_until_ms(self) -> int:
        """So much of the caller's audio has become turns, or was not meant for us."""
        return self._audio_until_ms

    def _begin(self, initiation: ConversationInitiation, now: float) -> ConversationConfig:
        begun = opening.begin(self._agents[self._agent_id], initiation, self._system)
        config = begun.agent.conversation_config
        self.text_only = config.conversation.text_only
        self._out.events, self._out.opened = begun.agent.client_events, now
        self._identity = Identity(begun, self._agents)
        self._patience = Patience(config, now)
        self._guarding = Guarding(self._out, self._identity)
        self.answering = Answering(
            self._identity,
            self._out,
            self._turns,
            self._patience,
            self._guarding,
            text_only=self.text_only,
            speculation=self._speculation,
        )
        self._backchannels = Backchannels(self._out, self._identity)
        self._quality = LineQuality(now)
        self._turns.overhears = (
            TentativeUserTranscript.TYPE in self._out.events and self._speculation is not Speculation.OFF
        )
        self._heartbeat.start(now)
        self._begun = True
        return config

    def _warm(self) -> None:
        if not self.text_only:
            self._out.do(Warm(self._identity.language, self._identity.voice))

    def receive(self, message: ClientMessage, now: float) -> Actions:
        """Anything but audio (see `hear`)."""
        if isinstance(message, Pong):
            self._heartbeat.pong(message.event_id, now)
            self._quality.pinged(self._heartbeat.ping_ms)
            self._adapt(now)
            return self.answering.done()
        self._patience.received(now)
        match message:
            case UserMessage(text, rich_content_id):
                if rich_content_id and not text:
                    self._refuse("user_message: rich content is not supported here; send text")
                self._typed(text, now)
            case MultimodalMessage():
                self._multimodal(message, now)
            case UserActivity():
                self._patience.user_was_active(now)
            case ContextualUpdate(text, context_id):
                self.answering.dialogue.note(text, context_id)
                self._out.log("context", text=text, context_id=context_id)
            case Feedback(event_id, score):
                self._feedback(event_id, score)
            case ClientToolResult():
                self._client_tool_result(message, now)
            case McpToolApprovalResult(tool_call_id):
                self._refuse(f"mcp_tool_approval_result: no tool call {tool_call_id!r} waits for approval")
            case UserAudioChunk():
                self._unheard()
            case _:  # a second initiation: the conversation has begun
                pass
        return self.answering.done()

    def arrived(self, seconds: float, backlog_s: float, now: float) -> Actions:
        """A message with so much of the caller's audio came. `backlog_s`: of ours that waits to be taken."""
        self._quality.arrived(seconds, backlog_s, now)
        self._adapt(now)
        return self.answering.done()

    def hear(self, frame: Frame, now: float, behind_s: float = 0.0, waited_s: float = 0.0) -> Actions:
        """The next 20 ms of the caller's audio, judged by the frame detector. `behind_s`: the audio after it that came
        in the same message, so the frame was over that much before `now`. `waited_s`: since that message came."""
        self._patience.received(now)
        has_floor = self._turns.state in (State.CALLER, State.PAUSE, State.HEARD)
        self._audio_waited = max(self._audio_waited, waited_s) if has_floor else waited_s
        self._score(frame)
        if decisions := self._turns.frame(frame, now, behind_s):
            self._decided(decisions, now)
        elif self._scores:  # else a score has just been sent
            return _NOTHING
        return self.answering.done()

    # ---- recogniser and judge

    def recognition_failed(self, recognition: int, error: HelloError, now: float) -> Actions:
        if recognition == self._turns.recognition:
            self._hearing.fault = error
            self._turns.owe()
        return self.recognised(recognition, Transcript("", self._identity.language, 0.0), now)

    def recognised(self, recognition: int, transcript: Transcript, now: float) -> Actions:
        if recognition != self._turns.recognition:
            return self.answering.done()
        over_agent = self._turns.agent_speaks
        words = self._words(transcript, now, over_agent=over_agent)
        if over_agent and words is not Words.SPEECH:
            self._decided(self._turns.recognised(recognition, words, now), now)
            self._hearing.over()
            return self.answering.done()
        self._metrics = TurnMetrics(transcript=now, recognised_early=self._hearing.early)
        if words is Words.SPEECH and self._turns.state is State.PAUSE:
            self._hearing.show(transcript.text)
        sure = transcript.confidence >= self._confidence_threshold
        asked = self.answering.dialogue.asked
        end = ending(transcript.text, self._identity.language, asked) if sure else None
        self._decided(self._turns.recognised(recognition, words, now, end), now)
        return self.answering.done()

    def _words(self, transcript: Transcript, now: float, *, over_agent: bool) -> Words:
        """Over the end of a question "yes" is no listening noise, but the answer."""
        words = self._hearing.recognised(transcript, self._turns.speech_s)
        if words is not Words.SPEECH or not over_agent or self.answering.has_asked(now):
            return words
        turn = self._identity.agent.conversation_config.turn
        terms = IgnoreTerms(
            turn.interruption_ignore_terms,
            defaults=turn.merge_with_default_ignore_terms or not turn.interruption_ignore_terms,
            languages=turn.interruption_ignore_term_languages or (),
        )
        ignores = terms.may_ignore if self._turns.speech_goes_on else terms.ignores
        return Words.BACKCHANNEL if ignores(transcript.text, self._identity.language) else words

    def murmured(self, audio: bytes, now: float) -> Actions:
        """The voice has made a backchannel's sound, all of it."""
        self._backchannels.begin(audio, now, self._turns.speech)
        return self.answering.done()

    def overheard(self, look: int, transcript: Transcript) -> Actions:
        """What the caller has said so far, while they speak on."""
        if look == self._turns.overheard:
            self._hearing.overheard(transcript.text)
        return self.answering.done()

    def judged(self, judge: int, judgement: Judgement, now: float) -> Actions:
        if self._turns.state is State.PAUSE:
            self._out.send(InternalTurnProbability(judgement.turn_end))
        self._decided(self._turns.judged(judge, judgement), now)
        return self.answering.done()

    # ---- time

    def deadline(self) -> float:
        """When `tick` must be called if nothing else happens first."""
        if not self._begun:
            return float("inf")
        turn = self._turns.deadline()
        return min(
            self._heartbeat.due,
            self._heartbeat.dead_at,
            self.answering.deadline(),
            self._patience.deadline(idle=self.idle),
            self._backchannels.deadline(),
            float("inf") if turn is None else turn,
        )

    def tick(self, now: float) -> Actions:
        if decisions := self._turns.tick(now):
            self._decided(decisions, now)
        self.answering.tick(now)
        self._backchannels.tick(now, self._turns.speech)
        if overdue := self._patience.overdue(now, idle=self.idle):
            self._overdue(overdue, now)
        if now >= self._heartbeat.dead_at:
            self._out.do(End(Gone("pings were not answered: reply to each ping with a pong of its event_id")))
        elif now >= self._heartbeat.due:
            event_id = self._out.send_with_id(lambda i: Ping(i, self._heartbeat.ping_ms))
            self._heartbeat.ping(event_id, now)
        return self.answering.done()

    @property
    def is_recorded(self) -> bool:
        return not self.text_only and self._identity.agent.platform_settings.privacy.record_voice

    @property
    def idle(self) -> bool:
        """Nobody speaks, and nothing is about to be said."""
        return self._turns.state is State.LISTENING and self.answering.reply is None

    def _overdue(self, overdue: Overdue, now: float) -> None:
        match overdue:
            case Overdue.SPEAK_UP:
                self._patience.spoke_up()
                self.answering.answer(TurnMetrics(decided=now), now, note=SILENT_NOTE)
            case Overdue.SILENCE:
                self._out.do(End(CallerSilent("the caller was silent for longer than silence_end_call_timeout")))
            case Overdue.TRANSPORT:
                self._out.do(End(Silent("nothing came from the user for 60 s: send audio, or user_activity")))
            case Overdue.TIME_UP:
                self._time_up(now)

    def _time_up(self, now: float) -> None:
        """Whoever speaks is cut off, the goodbye is heard to its end, then the call is over."""
        self._patience.finished()
        self._out.do(StopRecognising())
        self.answering.cut_off(now)
        error = TimeIsUp("the conversation has lasted as long as max_duration_seconds allows")
        goodbye = self._identity.agent.conversation_config.agent.max_conversation_duration_message
        if goodbye is None:
            goodbye = line("time_up", self._identity.language)
        if goodbye:
            self.answering.say(goodbye, now, protected=True, ends=error)
        else:
            self._out.do(End(error))

    # ---- what turn-taking decides

    def _decided(self, decisions: Decisions, now: float) -> None:
        for decision in decisions:
            match decision:
                case Recognise() | Overhear() | Judge():
                    self._out.do(decision)
                    if isinstance(decision, Recognise):
                        self._hearing.asked(early=self._turns.state is not State.HEARD)
                case Prepare() if self._speculation.includes(Speculation.LLM):
                    assert self._hearing.transcript is not None
                    self._prepare(self._hearing.transcript, now)
                case Discard():
                    self._went_on(now)
                case Hold():
                    self.answering.hold(now)
                case Judged():
                    self._tell(decision)
                case Backchannel():
                    self._backchannels.want(self._turns.speech)
                case Ignore():
                    assert self._hearing.transcript is not None
                    self._out.log(
                        "backchannel",
                        role="user",
                        text=self._hearing.transcript.text,
                        audio_until_ms=self._note_audio(),
                        time_in_call_secs=self._out.time_in_call(now),
                    )
                case Yield():
                    self.answering.yield_floor(now)
                case TakeTurn(caller_stopped):
                    assert self._hearing.transcript is not None
                    self._metrics.caller_stopped, self._metrics.decided = caller_stopped, now
                    self._metrics.audio_waited = self._audio_waited
                    self._take_turn(self._hearing.transcript, "audio", now)
                case NoWords(owed, overdue):
                    self._no_words(now, owed=owed, overdue=overdue)
                case Duck():
                    self.answering.duck(self._turns.talked_over_at)
                case Swell() if self.answering.reply:
                    self.answering.reply.playback.swell()
                case Interrupt() if self.text_only:
                    self.answering.cut_off(now)
                case Interrupt():
                    self.answering.interrupt(now)

    def _tell(self, judged: Judged) -> None:
        changed = judged.rules != judged.decided
        self._out.log("judgement", of=judged.of, rules=judged.rules, decided=judged.decided, changed=changed)

    def _prepare(self, transcript: Transcript, now: float) -> None:
        if self._guarding.refuses(transcript.text):
            return
        note = self._hearing.note(transcript, self._confidence_threshold)
        text, language = transcript.text, transcript.language
        self._metrics = self.answering.prepare(text, language, self._metrics, now, note=note)

    @property
    def _confidence_threshold(self) -> float:
        return self._identity.agent.hello.confidence_threshold

    def _take_turn(self, transcript: Transcript, medium: str, now: float) -> None:
        self._identity.heard(transcript.language)
        self._patience.user_spoke(now)
        event_id = self._out.send_with_id(lambda i: UserTranscript(transcript.text, i))
        self._prepare(transcript, now)
        self._out.log(
            "user_turn",
            text=transcript.text,
            language=transcript.language,
            confidence=transcript.confidence,
            medium=medium,
            event_id=event_id,
            audio_until_ms=self._note_audio() if medium == "audio" else self._audio_until_ms,
            time_in_call_secs=self._out.time_in_call(now),
            metrics=self._metrics.user_turn(),
        )
        for stage in self._metrics.begun_early():
            self._out.log("kept", stage=stage, requests=1)
        self.answering.dialogue.user_said(transcript.text)
        self._hearing.taken(transcript, self._confidence_threshold)
        if rule := self._guarding.attack(transcript.text):
            self._guarding.tell("input", rule)
        if self._guarding.refuses(transcript.text):
            self.answering.deflect(self._metrics, now)
        else:
            self.answering.take_turn(now)

    def _note_audio(self) -> int:
        """Up to where the caller's audio is done with, in ms from its first sample."""
        self._audio_until_ms = self._heard_before_ms + self._turns.recognised_until * 1000 // RATE
        return self._audio_until_ms

    def _no_words(self, now: float, *, owed: bool, overdue: bool) -> None:
        self._out.do(StopRecognising())
        fault = self._hearing.fault
        self._hearing.over()
        if overdue:
            fault = TranscriptionError(f"no transcript within {RECOGNITION_BUDGET_S:.0f} s")
        if not owed:
            self.answering.discard()
            self._patience.quiet_from(now)
            return
        self._patience.user_spoke(now)
        self._patience.quiet_from(now)
        if fault and not self.answering.dialogue.awaits_answer:
            self.answering.fail(fault, now)
        else:
            if fault:
                self._out.log_error(fault)
            self._answer_owed(now)

    def _answer_owed(self, now: float) -> None:
        """The caller was heard before, or should have been: an answer comes even without new words."""
        if self.answering.dialogue.awaits_answer:
            note = self._hearing.last_note
            self.answering.answer(TurnMetrics(decided=now), now, note=note, tools=not note)
        elif not self.answering.dialogue.begun and self._identity.first_message:
            self.answering.say(self._identity.first_message, now)  # a cough had cut it off before its first sound
        else:
            self.answering.say(line("not_heard", self._identity.language), now)

    def _went_on(self, now: float) -> None:
        """The caller did, or may have: an answer that was prepared is kept until their next words say which."""
        self._out.do(StopRecognising())
        self._hearing.went_on()
        reply = self.answering.reply
        if reply and reply.playback.plays_until > now:  # what has passed the time so far
            self.answering.interrupt(now)
        elif reply and reply.taken:
            self.answering.cut_off(now)

    # ---- what the client sends besides

    def _typed(self, text: str | None, now: float) -> None:
        if text is None or not text.strip() or self.answering.leaving:
            return
        self._decided(self._turns.typed(), now)
        self.answering.discard()
        self._metrics = TurnMetrics(caller_stopped=now, decided=now)
        self._take_turn(Transcript(text.strip(), self._identity.language, 1.0), "text", now)

    def _multimodal(self, message: MultimodalMessage, now: float) -> None:
        if message.file or message.files:
            self._refuse("multimodal_message: files are not supported here; the text was taken alone")
        self._typed(message.text.text if message.text else None, now)

    def _feedback(self, event_id: int, score: str | None) -> None:
        if 1 <= event_id <= self._out.event_id:
            self._out.log("feedback", event_id=event_id, score=score)
        else:
            self._refuse(f"feedback: no event_id {event_id} in this conversation")

    def _client_tool_result(self, result: ClientToolResult, now: float) -> None:
        if not self.answering.client_answered(result, now):
            self._refuse(f"client_tool_result: no tool call {result.tool_call_id!r} was made")

    def _unheard(self) -> None:
        """Said once: a client may go on sending what its microphone hears."""
        if not self._deaf_told:
            self._refuse("user_audio_chunk: this conversation is text only")
        self._deaf_told = True

    def _refuse(self, reason: str) -> None:
        self._out.refuse(ClientError(reason))

    # ---- the line

    def _adapt(self, now: float) -> None:
        """To the line as it is. The format of the audio stays: clients are told it once, when the call begins."""
        if self._quality.judge(now):
            self.answering.adapt(bad_line=self._quality.bad)
            level = "bad" if self._quality.bad else "good"
            self._out.log("line_quality", level=level, **self._quality.measures._asdict())

    # ---- out

    def _score(self, frame: Frame) -> None:
        if self._quality.bad:
            return  # such a line has enough to carry
        self._scores.append(frame.score)
        if len(self._scores) == SCORE_EVERY:
            self._out.send(VadScore(round(max(self._scores), 3)))
            self._scores.clear()

    def _log_start(self, initiation: ConversationInitiation, config: ConversationConfig) -> None:
        source = initiation.source_info or SourceInfo()
        self._out.log(
            "started",
            agent_id=self._agent_id,
            language=self._identity.language,
            user_id=initiation.user_id,
            source=source.source,
            version=source.version,
            input_format=config.asr.user_input_audio_format,
            output_format=config.tts.agent_output_audio_format,
            text_only=self.text_only,
            authorization_method=self._authorization_method,
            tenant=self._tenant,
            record=self.is_recorded,
            redact=self._identity.agent.redacts,
            resume=self._ticket,
            initiation={
                "conversation_config_override": msgspec.to_builtins(initiation.conversation_config_override or {}),
                "custom_llm_extra_body": initiation.custom_llm_extra_body or {},
                "dynamic_variables": initiation.dynamic_variables or {},
            },
        )
