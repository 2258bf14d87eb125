"""The spans of one turn. Work is begun before the turn is decided, and often for nothing: so nothing is exported before
the turn is over, when it is known when the caller stopped and what of the work was used."""

from collections import deque
from typing import NamedTuple

from serve_app.observability.correlation import Attribute
from serve_app.observability.spans import Clock, Export, FinishedSpan, SpanName, Stage

SILENCE = "convai_turn_silence_before_initiation"
"""From when the caller stopped until the turn was decided."""
RECOGNITION = "transcribe"
MOST_WORKS = 100
"""Held until the turn is over: noise may go on for an hour."""


class _Work(NamedTuple):
    """`reply`: the number of the answer that it is done for; None: for the caller's words."""

    stage: Stage
    reply: int | None


class TurnTrace:
    """`conversation`: the span that it is a part of. `common`: what is noted of every span."""

    def __init__(self, conversation: SpanName, clock: Clock, export: Export, common: dict[str, Attribute]) -> None:
        self.over = False
        self.sounded = False
        self._conversation = conversation
        self._id = conversation.child()
        self._clock = clock
        self._export = export
        self._common = common
        self._attributes: dict[str, Attribute] = dict(common)
        self._works: deque[_Work] = deque()
        self._answer: int | None = None  # the one that was given
        self._taken: float | None = None
        self._decided: float | None = None

    @property
    def awaits_answer(self) -> bool:
        """The caller's words are there, and what will be said to them is not."""
        return self._decided is not None and self._answer is None and not self.over

    def begin(self, name: str, reply: int | None, attributes: dict[str, Attribute]) -> Stage:
        stage = Stage(name, self._id.child(), self._clock, self._finished, {**self._common, **attributes})
        self._works.append(_Work(stage, reply))
        if len(self._works) > MOST_WORKS:
            self._give_out(self._works.popleft(), self._recognition_used())
        return stage

    def note(self, **attributes: Attribute) -> None:
        self._attributes.update(attributes)

    def decide(self, at: float) -> None:
        """It is the agent's, with the caller's words."""
        self._decided = at

    def take(self, reply: int, at: float) -> None:
        """This answer is the one to give."""
        self._answer = reply
        self._taken = at if self._taken is None else self._taken
        self.note(turn=reply)

    def close(self, at: float) -> None:
        """It is over. If it never came about, whatever was begun for it was in vain."""
        self.over = True
        if self._is_one:
            self._export_turn(at)
        used = self._recognition_used()
        for work in self._works:
            self._give_out(work, used)

    def _export_turn(self, ended: float) -> None:
        began = ended if self._taken is None else self._taken
        if self._decided is not None:
            began = self._decided - float(self._attributes.get(SILENCE, 0.0))
        self._export(FinishedSpan("turn", self._id, self._conversation, began, ended, self._attributes))
        if self._decided is not None and began < self._decided:
            decide = FinishedSpan("decide", self._id.child(), self._id, began, self._decided, self._common)
            self._export(decide)

    def _give_out(self, work: _Work, used: Stage | None) -> None:
        stage = work.stage
        if self._decided is not None and stage.began < self._decided:
            stage.note(speculative=True)
        if self._in_vain(work, used):
            stage.note(discarded=True)
        if stage.ended is not None:
            self._export(stage.finished(self._parent))

    @property
    def _is_one(self) -> bool:
        return self._taken is not None or self._decided is not None

    @property
    def _parent(self) -> SpanName:
        """Of its works: a turn that there never was is no span."""
        return self._id if self._is_one else self._conversation

    def _recognition_used(self) -> Stage | None:
        """The newest one that had come to its end when the turn was decided."""
        until = self._decided or 0.0
        whole = (work.stage for work in self._works if work.stage.name == RECOGNITION and work.stage.kept)
        return max((stage for stage in whole if (stage.ended or 0.0) <= until), key=_ended, default=None)

    def _in_vain(self, work: _Work, used: Stage | None) -> bool:
        stage, reply = work
        if reply is not None:
            return reply != self._answer
        return stage.name == RECOGNITION and stage is not used and "tentative" not in stage.attributes

    def _finished(self, stage: Stage) -> None:
        """What ends later than its turn: it was given up just now, or is a tool that ends the call."""
        if self.over:
            self._export(stage.finished(self._parent))


def _ended(stage: Stage) -> float:
    return stage.ended or 0.0
