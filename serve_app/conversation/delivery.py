"""How an answer reaches the caller: the voice is asked for what is next, what is due leaves, text goes before sound."""

from msgspec import UNSET

from serve_app.conversation.actions import Speak
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.playback import Piece
from serve_app.conversation.reply import Reply
from serve_app.conversation.server_messages import Audio, AudioAlignment
from serve_app.conversation.speculation import Speculation
from serve_app.conversation.turn_taking import TurnTaking

REPLY_BUDGET_S = 10.0
"""An answer without a (further) sound for this long has failed: providers have tighter budgets of their own."""
LAST_TOOLS_S = 5.0
"""After the last word, for tools that were called together with end_call."""
HANG_UP_S = 0.3
"""After the last word: clients play a little behind our clock, and what ends the call cuts them off."""


class Delivery:
    """`text_only`: answers are written, not spoken. `speculation`: whether the voice may be asked before a reply is
    taken."""

    def __init__(self, out: Outgoing, turns: TurnTaking, *, text_only: bool, speculation: Speculation) -> None:
        self._out = out
        self._turns = turns
        self._text_only = text_only
        self._speaks_early = speculation.includes(Speculation.TTS)

    def advance(self, reply: Reply, now: float) -> bool:
        """Whether the caller has heard, or read, the end of it."""
        self._write(reply)
        self.record(reply)
        if self._text_only:
            return self._show(reply, now)
        self.ask_voice(reply, now)
        pieces = reply.playback.take(now)
        if pieces:
            reply.due = None if reply.pending else now + REPLY_BUDGET_S
            self._turns.agent_started()
            self._note_first_audio(reply, pieces, now)
            reply.metrics.sounded(now)
        for piece in pieces:
            if reply.writing:
                reply.writing.announce(now, until=piece.start)  # the text goes just before the sound
            self.send(reply, piece)
        self.ask_voice(reply, now)
        return reply.taken and reply.complete and reply.playback.finished(now - self._linger(reply))

    def wrote(self, reply: Reply, now: float) -> None:
        """The model has given more of it."""
        if self._text_only and reply.taken:
            reply.due = now + REPLY_BUDGET_S
        self._write(reply)
        self.ask_voice(reply, now)

    def ask_voice(self, reply: Reply, now: float) -> None:
        early = reply.taken or self._speaks_early
        wanted = reply.next_clauses(now) if early and not self._text_only else []
        for number, clause, language, voice in wanted:
            self._out.do(Speak(reply.id, number, clause.text, language, voice))
        self.record(reply)

    def send(self, reply: Reply, piece: Piece) -> None:
        alignment = AudioAlignment.of(piece.alignment) if piece.alignment else UNSET
        event_id = self._out.send_with_id(lambda i: Audio(piece.audio, i, alignment))
        self._out.log("audio", event_id=event_id, turn=reply.id, start=piece.start, end=piece.end)

    def record(self, reply: Reply) -> None:
        """The text, as far as another replica would need it to go on from here."""
        if not reply.taken or reply.held:
            return
        clauses = reply.unrecorded_clauses()
        if not reply.complete:
            for clause in clauses:
                self._out.log("clause", turn=reply.id, start=clause.start, text=clause.text)
        elif not reply.recorded:
            reply.recorded = True
            ends = reply.ends and (reply.ends.close_code, reply.ends.message, reply.ends.error_type)
            self._out.log(
                "answer",
                turn=reply.id,
                text=reply.answer,
                protected=reply.protected,
                ends=ends,
                transfers_to=reply.transfers_to,
            )

    def deadline(self, reply: Reply) -> float:
        """When `advance` has something to do."""
        playing = None if self._text_only else reply.playback.deadline()
        if playing is None:
            return float("inf")
        return playing + self._linger(reply) if reply.playback.drained else playing

    def _show(self, reply: Reply, now: float) -> bool:
        """In writing."""
        if reply.writing is None:
            return False
        reply.writing.announce(now)
        return reply.complete

    def _write(self, reply: Reply) -> None:
        if reply.writing:
            reply.writing.advance()
            if self._text_only:
                self._turns.agent_started()

    def _note_first_audio(self, reply: Reply, pieces: list[Piece], now: float) -> None:
        if reply.metrics.first_audio is None and any(reply.answers(piece.end) for piece in pieces):
            reply.metrics.first_audio = now

    def _linger(self, reply: Reply) -> float:
        """How long after its last word a call that ends is kept open."""
        if not reply.ends or not reply.playback.started:
            return 0.0
        return LAST_TOOLS_S if reply.pending else HANG_UP_S
