"""The whole conversation as one pure machine: what happens goes in with `now`, what to do comes out as actions.

It joins turn-taking (who), dialogue (what), replies (how it sounds) and the wire. It performs nothing itself: the
session does, and reports back under the id that the action carried. Reports about what is gone are ignored.
"""

from typing import Any

from serve_app.audio.detector import Frame
from serve_app.audio.pcm import AudioFormat
from serve_app.conversation import protocol
from serve_app.conversation.actions import Actions, End, Log, Send, Speak, Stop, StopRecognising, Think
from serve_app.conversation.agent import Agent
from serve_app.conversation.decisions import (
    Decisions,
    Discard,
    Duck,
    Interrupt,
    Judge,
    Judgement,
    NoWords,
    Prepare,
    Recognise,
    Swell,
    TakeTurn,
)
from serve_app.conversation.dialogue import Dialogue, Transcript
from serve_app.conversation.heartbeat import Heartbeat
from serve_app.conversation.lines import line
from serve_app.conversation.playback import Piece, SpeechChunk
from serve_app.conversation.reply import Reply
from serve_app.conversation.turn_metrics import TurnMetrics, wire
from serve_app.conversation.turn_taking import RECOGNITION_BUDGET_S, TurnTaking
from serve_app.errors import HelloError, LanguageModelError, SpeechError, TranscriptionError

SILENCE_S = 0.250
UNSURE_SILENCE_S = 0.350
"""The pause that ends a turn, and when the judge doubts that it did."""
REPLY_BUDGET_S = 10.0
"""An answer without a (further) sound for this long has failed: providers have tighter budgets of their own."""
_NOTHING: Actions = []


class Conversation:
    """`agent` says how it speaks and listens. Formats are those its file names, checked when it was loaded."""

    def __init__(self, conversation_id: str, agent_id: str, agent: Agent) -> None:
        config = agent.conversation_config
        self.id = conversation_id
        self._agent_id = agent_id
        self._config = config
        self._language = config.agent.language
        self._output = AudioFormat.parse(config.tts.agent_output_audio_format)
        self._events = frozenset(config.conversation.client_events)
        self._turns = TurnTaking(silence_s=SILENCE_S, unsure_s=UNSURE_SILENCE_S)
        self._dialogue = Dialogue(config.agent.prompt.prompt)
        self._opened = 0.0
        self._reply: Reply | None = None
        self._replies = 0
        self._metrics = TurnMetrics()  # of the turn under way
        self._transcript: Transcript | None = None
        self._reply_due: float | None = None
        self._event_id = 0
        self._heartbeat = Heartbeat()
        self._actions: Actions = []

    # ---- the caller

    def open(self, initiation: protocol.ConversationInitiation, now: float) -> Actions:
        """The client is there. Metadata is the first thing it gets."""
        override = initiation.conversation_config_override
        if override and override.conversation and override.conversation.client_events is not None:
            self._events = frozenset(override.conversation.client_events)
        self._turns.interruptible = protocol.Interruption.TYPE in self._events
        self._opened = now
        self._heartbeat.start(now)
        source = initiation.source_info or {}
        self._log(
            "started",
            agent_id=self._agent_id,
            language=self._language,
            user_id=initiation.user_id,
            source=source.get("source"),
            version=source.get("version"),
            input_format=self._config.asr.user_input_audio_format,
            output_format=self._output.name,
        )
        self._send(
            protocol.ConversationInitiationMetadata(
                self.id, self._output.name, self._config.asr.user_input_audio_format
            )
        )
        if self._config.agent.first_message:
            self._say(self._config.agent.first_message, now)
        return self._done()

    def receive(self, message: protocol.ClientMessage, now: float) -> Actions:
        """Anything but audio (see `hear`)."""
        match message:
            case protocol.Pong(event_id):
                self._heartbeat.pong(event_id, now)
            case protocol.UserMessage(text) if text and text.strip():
                self._decided(self._turns.typed(), now)
                self._metrics = TurnMetrics(caller_stopped=now, decided=now)
                self._take_turn(Transcript(text.strip(), self._language, 1.0), "text", now)
            case _:  # a second initiation, an empty message: nothing to do
                pass
        return self._done()

    def hear(self, frame: Frame, now: float, behind_s: float = 0.0) -> Actions:
        """The next 20 ms of the caller's audio, judged by the frame detector. `behind_s`: the audio after it that came
        in the same message, so the frame was over that much before `now`."""
        if decisions := self._turns.frame(frame, now, behind_s):
            self._decided(decisions, now)
            return self._done()
        return _NOTHING

    # ---- recogniser and judge

    def recognised(self, recognition: int, transcript: Transcript, now: float) -> Actions:
        return self._recognised(recognition, transcript, now)

    def recognition_failed(self, recognition: int, error: HelloError, now: float) -> Actions:
        if recognition == self._turns.recognition:
            self._log_error(error)
            self._turns.owe()
        return self._recognised(recognition, Transcript("", self._language, 0.0), now)

    def _recognised(self, recognition: int, transcript: Transcript, now: float) -> Actions:
        if recognition == self._turns.recognition:
            self._transcript = transcript
            self._metrics = TurnMetrics(transcript=now)
            self._decided(self._turns.recognised(recognition, words=bool(transcript.text), now=now), now)
        return self._done()

    def judged(self, judgement: Judgement, now: float) -> Actions:
        self._decided(self._turns.judged(judgement), now)
        return self._done()

    # ---- language model and voice

    def token(self, reply_id: int, text: str, now: float) -> Actions:
        if reply := self._current(reply_id):
            reply.token(text, now)
            self._ask_voice(reply, now)
        return self._done()

    def answered(self, reply_id: int, now: float) -> Actions:
        if reply := self._current(reply_id):
            self._complete(reply, now)
        return self._done()

    def answer_failed(self, reply_id: int, error: HelloError, now: float) -> Actions:
        """What was said so far stands; if that is nothing, an apology takes its place."""
        if reply := self._current(reply_id):
            self._log_error(error)
            if not reply.text:
                reply.token(line("trouble", reply.language), now)
            self._complete(reply, now)
        return self._done()

    def spoken(self, reply_id: int, clause: int, chunk: SpeechChunk, now: float) -> Actions:
        if reply := self._current(reply_id):
            reply.spoken(clause, chunk, now)
            self._play(reply, now)
        return self._done()

    def clause_spoken(self, reply_id: int, clause: int, now: float) -> Actions:
        if reply := self._current(reply_id):
            reply.clause_whole(clause)
            self._play(reply, now)
        return self._done()

    def speech_failed(self, reply_id: int, clause: int, error: HelloError, now: float) -> Actions:
        """A clause is lost. If nothing at all can be heard of an answer, the caller is told and the call ends."""
        if reply := self._current(reply_id):
            reply.clause_whole(clause)
            if reply.taken and reply.playback.drained and not reply.playback.started:
                self._actions.append(End(error))
            else:
                self._log_error(error)
                self._play(reply, now)
        return self._done()

    # ---- time

    def deadline(self) -> float:
        """When `tick` must be called if nothing else happens first."""
        playing = self._reply.playback.deadline() if self._reply else None
        wakes = (self._heartbeat.due, self._turns.deadline(), playing, self._reply_due)
        return min(wake for wake in wakes if wake is not None)

    def tick(self, now: float) -> Actions:
        if decisions := self._turns.tick(now):
            self._decided(decisions, now)
        if self._reply:
            self._play(self._reply, now)
        if self._reply_due is not None and now >= self._reply_due:
            self._give_up(now)
        if now >= self._heartbeat.due:
            event_id = self._send_with_id(lambda i: protocol.Ping(i, self._heartbeat.ping_ms))
            self._heartbeat.ping(event_id, now)
        return self._done()

    # ---- what turn-taking decides

    def _decided(self, decisions: Decisions, now: float) -> None:
        for decision in decisions:
            match decision:
                case Recognise() | Judge():
                    self._actions.append(decision)
                case Prepare():
                    assert self._transcript is not None
                    self._prepare(self._transcript, now)
                case Discard():
                    self._discard()
                case TakeTurn(caller_stopped):
                    assert self._transcript is not None
                    self._metrics.caller_stopped, self._metrics.decided = caller_stopped, now
                    self._take_turn(self._transcript, "audio", now)
                case NoWords(owed, overdue):
                    self._discard()
                    if overdue:
                        self._log_error(TranscriptionError(f"no transcript within {RECOGNITION_BUDGET_S:.0f} s"))
                    if owed:
                        self._answer_owed(now)
                case Duck() if self._reply:
                    self._reply.playback.duck()
                case Swell() if self._reply:
                    self._reply.playback.swell()
                case Interrupt():
                    self._interrupt(now)

    def _prepare(self, transcript: Transcript, now: float) -> Reply:
        """Begin an answer. It is not heard, and stands in no history, before the turn is taken."""
        reply = self._new_reply(transcript.language or self._language)
        reply.metrics.model_asked = now
        messages = self._dialogue.messages(and_then=transcript.text)
        self._actions.append(Think(reply.id, messages, reply.language))
        return reply

    def _take_turn(self, transcript: Transcript, medium: str, now: float) -> None:
        self._language = transcript.language or self._language
        event_id = self._send_with_id(lambda i: protocol.UserTranscript(transcript.text, i))
        self._log(
            "user_turn",
            text=transcript.text,
            language=transcript.language,
            confidence=transcript.confidence,
            medium=medium,
            event_id=event_id,
            time_in_call_secs=self._time_in_call(now),
            metrics=self._metrics.user_turn(),
        )
        reply = self._reply or self._prepare(transcript, now)
        self._dialogue.user_said(transcript.text)
        self._transcript = None
        self._release(reply, now)

    def _answer_owed(self, now: float) -> None:
        """The caller was heard before, or should have been: an answer comes even without new words."""
        messages = self._dialogue.messages()
        if messages and messages[-1].role == "user":
            self._metrics = TurnMetrics(decided=now, model_asked=now)
            reply = self._new_reply(self._language)
            self._actions.append(Think(reply.id, messages, reply.language))
            self._turns.answering()
            self._release(reply, now)
        elif not self._dialogue.begun and self._config.agent.first_message:
            self._say(self._config.agent.first_message, now)  # a cough had cut it off before its first sound
        else:
            self._say(line("not_heard", self._language), now)

    def _interrupt(self, now: float) -> None:
        reply, self._reply, self._reply_due = self._reply, None, None
        if reply is None:
            return
        self._actions.append(Stop(reply.id))
        heard, fade = reply.heard(now), reply.playback.fade()
        self._announce(reply, now)
        event_id = self._send_with_id(protocol.Interruption)
        self._log("interruption", event_id=event_id, turn=reply.id)
        if fade:
            self._send_audio(reply, fade)
        self._correct(reply, heard, now)

    def _correct(self, reply: Reply, heard: str, now: float) -> None:
        """The answer ended before its end: client, record and history learn what was heard of it."""
        response_id = self._announce(reply, now)
        self._send(protocol.AgentResponseCorrection(reply.text, heard, response_id))
        self._log("correction", event_id=response_id, original=reply.text, corrected=heard)
        self._dialogue.agent_said(heard)

    def _discard(self) -> None:
        self._actions.append(StopRecognising())
        if self._reply:
            self._actions.append(Stop(self._reply.id))
            self._reply = self._reply_due = None

    # ---- the reply under way

    def _new_reply(self, language: str) -> Reply:
        if self._reply:
            self._actions.append(Stop(self._reply.id))
        self._replies += 1
        self._reply = Reply(self._replies, language, self._output, self._metrics)
        return self._reply

    def _say(self, text: str, now: float) -> None:
        """Words of the agent's own accord."""
        self._metrics = TurnMetrics()
        reply = self._new_reply(self._language)
        reply.token(text, now)
        self._turns.answering()
        self._complete(reply, now)
        self._release(reply, now)

    def _release(self, reply: Reply, now: float) -> None:
        reply.taken = True
        self._reply_due = now + REPLY_BUDGET_S
        reply.playback.release()
        self._play(reply, now)

    def _complete(self, reply: Reply, now: float) -> None:
        reply.end(now)
        if reply.wordless:  # nothing in it can be spoken: no answer is no answer
            reply.token(line("trouble", reply.language), now)
            reply.end(now)
        self._ask_voice(reply, now)
        self._play(reply, now)

    def _ask_voice(self, reply: Reply, now: float) -> None:
        for number, clause in reply.next_clauses(now):
            self._actions.append(Speak(reply.id, number, clause.text, reply.language))

    def _play(self, reply: Reply, now: float) -> None:
        pieces = reply.playback.take(now)
        if pieces:
            self._reply_due = now + REPLY_BUDGET_S
            self._note_first_audio(reply, now)
        for piece in pieces:
            self._send_audio(reply, piece)
        self._ask_voice(reply, now)
        if reply.complete and reply.playback.started and reply.response_id is None:
            self._announce(reply, now)
        if reply.taken and reply.playback.finished(now):
            self._finish(reply)

    def _send_audio(self, reply: Reply, piece: Piece) -> None:
        event_id = self._send_with_id(lambda i: protocol.Audio(piece.audio, i))
        self._log("audio", event_id=event_id, turn=reply.id, start=piece.start, end=piece.end)

    def _note_first_audio(self, reply: Reply, now: float) -> None:
        if reply.metrics.first_audio is not None:
            return
        reply.metrics.first_audio = now
        self._turns.agent_started()
        if reply.complete:  # the text goes just before the sound
            self._announce(reply, now)

    def _announce(self, reply: Reply, now: float) -> int:
        """Tell the client, and the record, the text of the answer: all of it, or as far as it got. Once."""
        if reply.response_id is None:
            latencies = reply.metrics.agent_turn()
            reply.response_id = self._send_with_id(lambda i: protocol.AgentResponse(reply.text, i))
            self._send_with_id(
                lambda i: protocol.AgentResponseMetadata({"conversation_turn_metrics": wire(latencies)}, i)
            )
            self._log(
                "agent_turn",
                text=reply.text,
                event_id=reply.response_id,
                turn=reply.id,
                time_in_call_secs=self._time_in_call(now),
                metrics=latencies,
            )
        return reply.response_id

    def _finish(self, reply: Reply) -> None:
        if not reply.playback.started:
            self._actions.append(End(SpeechError("the voice gave no sound")))
        self._dialogue.agent_said(reply.text)
        self._reply = self._reply_due = None
        self._turns.agent_finished()

    def _give_up(self, now: float) -> None:
        """No (further) sound within the budget."""
        reply, self._reply_due = self._reply, None
        if reply is None:
            return
        if reply.playback.started:  # what was heard is the answer
            self._log_error(SpeechError(f"the answer went on without a sound for {REPLY_BUDGET_S:.0f} s"))
            self._actions.append(Stop(reply.id))
            self._correct(reply, reply.heard(now), now)
            self._reply = None
            self._turns.agent_finished()
        elif reply.metrics.first_clause is not None:
            self._actions.append(End(SpeechError(f"no sound from the voice within {REPLY_BUDGET_S:.0f} s")))
        else:
            self._log_error(LanguageModelError(f"no answer from the language model within {REPLY_BUDGET_S:.0f} s"))
            self._say(line("trouble", self._language), now)

    def _current(self, reply_id: int) -> Reply | None:
        return self._reply if self._reply and self._reply.id == reply_id else None

    # ---- out

    def _send(self, message: protocol.ServerMessage) -> None:
        if message.TYPE in self._events or message.TYPE in protocol.ALWAYS_SENT:
            self._actions.append(Send(message))

    def _send_with_id(self, build: Any) -> int:
        """Ids rise by one over all messages, sent or filtered."""
        self._event_id += 1
        self._send(build(self._event_id))
        return self._event_id

    def _log(self, kind: str, **data: Any) -> None:
        self._actions.append(Log(kind, data))

    def _log_error(self, error: HelloError) -> None:
        self._log("error", code=error.close_code, error_type=error.error_type, message=error.message)

    def _time_in_call(self, now: float) -> float:
        return round(now - self._opened, 3)

    def _done(self) -> Actions:
        actions, self._actions = self._actions, []
        return actions
