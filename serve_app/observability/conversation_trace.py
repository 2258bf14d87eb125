"""A conversation's spans: which turn each piece of work belongs to, as its record tells."""

from collections.abc import Mapping
from typing import Any

from serve_app.observability.correlation import UNRECORDED, Attribute, Span
from serve_app.observability.spans import Clock, Export, SpanName, Stage
from serve_app.observability.tracing import Trace
from serve_app.observability.turn_trace import TurnTrace

THINKING = "think"
OF_ANSWERS = frozenset({"clause", "answer", "audio", "agent_turn", "interruption", "tool_call", "said"})
"""Events that there are of no other answer than the one that is given."""


class ConversationTrace(Trace):
    """`export` takes what is over. The root of the first epoch is the parent of those of later ones."""

    def __init__(self, conversation_id: str, clock: Clock, export: Export, *, epoch: int = 0) -> None:
        own, first = (SpanName.of_conversation(conversation_id, number) for number in (epoch, 0))
        self._own = own
        self._parent = first if epoch else None
        self._clock = clock
        self._export = export
        self._common: dict[str, Attribute] = {"conversation_id": conversation_id}
        self._root = Stage("conversation", own, clock, self._root_over, dict(self._common))
        self.root = self._root
        self._open: list[TurnTrace] = []
        self._next = self._new_turn()  # the one that is not decided yet
        self._newest: TurnTrace | None = None  # that is
        self._asked: TurnTrace | None = None  # for which the model was asked last
        self._turns: dict[int, TurnTrace] = {}  # by the number of the answer
        self._answered = 0  # answers up to this number are over
        self._tools: dict[str, Stage] = {}
        self._sending: tuple[int, Stage] | None = None

    def begin(self, name: str, *, reply: int | None = None, over_answer: bool = False, **attributes: Attribute) -> Span:
        turn = self._next
        if reply is not None:
            turn = self._turn(reply)
        elif over_answer and self._newest and not self._newest.over:
            turn = self._newest
        if name == THINKING:
            self._asked = turn
        return turn.begin(name, reply, attributes)

    def tool(self, call_id: str) -> Span:
        return self._tools.get(call_id, UNRECORDED)

    def log(self, kind: str, data: Mapping[str, Any], at: float) -> None:
        match kind:
            case "started" | "language":
                self._root.note(language=data["language"])
            case "user_turn":
                self._decided(data, at)
            case "tool_result":
                self._tool_over(data)
            case "guardrail" if (data["turn"] or 0) > self._answered:
                self._turn(data["turn"]).note(guardrail=data["rule"])
            case _ if kind in OF_ANSWERS and data["turn"] > self._answered:
                self._happened(kind, data, self._taken(data["turn"], at), at)

    def sent(self, event_id: int) -> None:
        if self._sending and self._sending[0] == event_id:
            self._sending[1].finish()
            self._sending = None

    def end(self, close_code: int, close_reason: str) -> None:
        for turn in self._open:
            turn.close(self._clock())
        self._root.note(close_code=close_code, close_reason=close_reason)
        self._root.finish()

    def _root_over(self, root: Stage) -> None:
        self._export(root.finished(self._parent, remote=self._parent is not None))

    # ---- turns

    def _new_turn(self) -> TurnTrace:
        turn = TurnTrace(self._own, self._clock, self._export, self._common)
        self._open.append(turn)
        return turn

    def _turn(self, reply: int) -> TurnTrace:
        """An answer is begun for the turn that awaits one, or else for the one that is not decided yet."""
        awaiting = self._newest if self._newest and self._newest.awaits_answer else self._next
        return self._turns.setdefault(reply, awaiting)

    def _decided(self, data: Mapping[str, Any], at: float) -> None:
        """These words are answered by whoever was asked last; that may be long ago, while they were late."""
        turn = self._asked if self._asked and not self._asked.over else self._next
        turn.decide(at)
        told = {name: data[name] for name in ("medium", "confidence", "language")}
        turn.note(**told, **data["metrics"])
        self._is_decided(turn)

    def _taken(self, reply: int, at: float) -> TurnTrace:
        turn = self._turn(reply)
        turn.take(reply, at)
        self._is_decided(turn)
        return turn

    def _is_decided(self, turn: TurnTrace) -> None:
        if turn is self._next:
            self._newest, self._next = turn, self._new_turn()

    def _happened(self, kind: str, data: Mapping[str, Any], turn: TurnTrace, at: float) -> None:
        match kind:
            case "audio" if not turn.sounded:
                turn.sounded = True
                self._sending = (data["event_id"], turn.begin("send", data["turn"], {}))
            case "agent_turn":
                turn.note(**data["metrics"])
            case "interruption":
                turn.note(interrupted=True, **data.get("metrics", {}))
            case "tool_call":
                self._tools[data["tool_call_id"]] = turn.begin(_tool_name(data), data["turn"], {"type": data["type"]})
            case "said":
                self._answered = data["turn"]
                turn.close(at)
                self._open.remove(turn)
                self._turns = {reply: other for reply, other in self._turns.items() if other is not turn}

    def _tool_over(self, data: Mapping[str, Any]) -> None:
        if tool := self._tools.pop(data["tool_call_id"], None):
            tool.finish("ToolError" if data["is_error"] else "")


def _tool_name(data: Mapping[str, Any]) -> str:
    """One that the agent has; others are whatever the model wrote."""
    return "tool" if data["type"] == "unknown" else f"tool {data['tool_name']}"
