"""A conversation as its record tells it, for a replica that has never heard of it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from serve_app.conversation.client_messages import ConversationInitiation
from serve_app.conversation.dialogue import Dialogue, Message
from serve_app.conversation.identity import Identity
from serve_app.conversation.log_event import LogEvent
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseCorrection,
    Interruption,
    ServerMessage,
    UserTranscript,
)
from serve_app.conversation.tool_use import Outcome, Round, ToolUse
from serve_app.conversation.tools import SKIP_TURN, ToolCall

NEVER_RECORDED = 25
"""Ids between two records: pings and parts of texts have some, too."""
_TURNS = ("clause", "answer", "audio", "agent_turn", "tool_call", "interruption", "said")


class Unfinished(NamedTuple):
    """An answer that the caller has not heard to its end.

    text: as far as it is known; the caller has heard `heard` characters of it, in whole words. whole: nothing is
    missing at its end. sections: (start, end, event_id) of those that the client was told. rounds: the tools that it
    has used. protected: the caller could not interrupt it. ends: close code, reason and type of the error with which
    the call was to end; transfers_to: the agent who was to take it over then.
    """

    turn: int
    text: str
    heard: int
    whole: bool
    sections: list[tuple[int, int, int]]
    rounds: list[Round]
    protected: bool
    ends: tuple[int, str, str] | None
    transfers_to: str


class Past:
    """`events`: all of them, in order, the first of which is `started`; `last_event_id`: the client has received the
    messages up to that one."""

    def __init__(self, events: Sequence[LogEvent], last_event_id: int) -> None:
        self.events = events
        self.last_event_id = last_event_id
        self.started = events[0].data
        away_s = sum(event.data["away_secs"] for event in self._of("resumed"))
        self.seconds = max(0.0, events[-1].at_unix - events[0].at_unix - away_s)
        """How long the conversation has lasted by its own clock, which stands still while nobody is connected."""

    @property
    def is_over(self) -> bool:
        return any(event.kind == "ended" for event in self.events)

    @property
    def epoch(self) -> int:
        return max(event.epoch for event in self.events)

    @property
    def initiation(self) -> ConversationInitiation:
        return msgspec.convert(self.started["initiation"], ConversationInitiation)

    @property
    def newest_event_id(self) -> int:
        """Of all messages that are known to have been sent."""
        ids: list[int] = [event.data.get("event_id", 0) for event in self.events]
        return max(self.last_event_id, *ids)

    @property
    def lost_events(self) -> int:
        """The client has seen messages that the record knows nothing of: it ends before them."""
        known = max(event.data.get("event_id", 0) for event in self.events)
        lost = self.last_event_id - known
        return lost if lost > NEVER_RECORDED else 0

    @property
    def turns(self) -> int:
        return max((event.data["turn"] for event in self._of(*_TURNS)), default=0)

    @property
    def client_calls(self) -> set[str]:
        """Ids of the tool calls that the client was asked to make."""
        return {event.data["tool_call_id"] for event in self._of("tool_call") if event.data["type"] == "client"}

    @property
    def audio_ms(self) -> int:
        """So much of the caller's audio has become turns, or was not meant for us."""
        return max((event.data.get("audio_until_ms") or 0 for event in self.events), default=0)

    def unfinished(self) -> Unfinished | None:
        turn = self.turns
        if turn == 0 or self._was_cut_off(turn) or self._is_answered(turn):
            return None
        answer = next((event.data for event in self._of("answer") if event.data["turn"] == turn), None)
        text, rounds = answer["text"] if answer else self._text(turn), self._rounds(turn)
        heard, ends = self._heard(turn, text), answer["ends"] if answer else None
        if self._is_said(turn) and heard == len(text) and not (ends or _is_skipped(rounds)):
            return None
        if not (text or rounds or answer):
            return None  # it only passed the time, until there were words to answer
        return Unfinished(
            turn,
            text,
            heard,
            answer is not None,
            [(e.data["start"], e.data["end"], e.data["event_id"]) for e in self._of_turn("agent_turn", turn)],
            rounds,
            answer is not None and answer["protected"],
            (ends[0], ends[1], ends[2]) if ends else None,
            answer["transfers_to"] if answer else "",
        )

    def recall(self, identity: Identity, dialogue: Dialogue, *, but: Unfinished | None) -> None:
        """All that was said, and who says it now; `but` the answer that is still to be given."""
        over = {event.data["turn"]: event for event in self._of("said")}  # its end may have been said twice
        for event in self.events:
            match event.kind, event.data:
                case "user_turn", data:
                    identity.heard(data["language"])
                    dialogue.user_said(data["text"])
                case "guardrail", data if data["stage"] == "input" and data["action"] in ("deflect", "end"):
                    dialogue.withhold()
                case "said", data if event is over[data["turn"]] and not (but and data["turn"] == but.turn):
                    dialogue.agent_said(msgspec.convert(data["messages"], list[Message]))
                case "context", data:
                    dialogue.note(data["text"], data["context_id"])
                case "language", data:
                    identity.change_language(data["language"])
                case "transfer", data:
                    identity.become(data["agent_id"])
        dialogue.prompt = identity.prompt

    def lost_messages(self) -> Iterator[ServerMessage]:
        """Those besides audio that the client has not received."""
        for event in self.events:
            event_id = event.data.get("event_id", 0)
            if event_id <= self.last_event_id:
                continue
            match event.kind:
                case "user_turn":
                    yield UserTranscript(event.data["text"], event_id)
                case "agent_turn":
                    yield AgentResponse(event.data["text"], event_id)
                case "interruption":
                    yield Interruption(event_id)
                case "correction":
                    yield AgentResponseCorrection(event.data["original"], event.data["corrected"], event_id)

    # ---- of one answer

    def _heard(self, turn: int, text: str) -> int:
        """Characters, up to the word in which what the client has received breaks off: that one is said again."""
        end = min(max((e.data["end"] for e in self._received(turn)), default=0), len(text))
        if self._is_said(turn) and not any(
            e.data["event_id"] > self.last_event_id for e in self._of_turn("audio", turn)
        ):
            return len(text)
        while 0 < end < len(text) and not text[end].isspace() and not text[end - 1].isspace():
            end -= 1
        return end

    def _received(self, turn: int) -> list[LogEvent]:
        """What of its sound the client has got, over each of its connections."""
        received: list[LogEvent] = []
        for event in self.events:
            if event.kind == "audio" and event.data["turn"] == turn:
                received.append(event)
            elif event.kind == "resumed" and not event.data["same_replica"]:
                received = [e for e in received if e.data["event_id"] <= event.data["last_event_id"]]
        return [event for event in received if event.data["event_id"] <= self.last_event_id]

    def _text(self, turn: int) -> str:
        """Put together from its clauses, with the white space at the end of a section."""
        clauses = self._of_turn("clause", turn)
        text = ""
        for start, piece in sorted((clause.data["start"], clause.data["text"]) for clause in clauses):
            text = text[:start].ljust(start) + piece + text[start + len(piece) :]
        ends = (event.data["end"] for event in self._of_turn("agent_turn", turn))
        return text.ljust(max(ends, default=0)) if clauses else text

    def _rounds(self, turn: int) -> list[Round]:
        calls, rounds = [event.data for event in self._of_turn("tool_call", turn)], list[Round]()
        for _, same in groupby(calls, lambda call: call["round"]):
            begun = list(same)
            start, end = rounds[-1].end if rounds else 0, begun[0]["said"]
            rounds.append(Round(start, end, [self._use(call) for call in begun]))
        return rounds

    def _use(self, call: Mapping[str, Any]) -> ToolUse:
        use = ToolUse(ToolCall(call["tool_call_id"], call["tool_name"], call["params_as_json"]), None, 0.0)
        results = (e.data for e in self._of("tool_result") if e.data["tool_call_id"] == use.call.id)
        if result := next(results, None):
            use.outcome = Outcome(result["result"], is_error=result["is_error"])
        return use

    def _was_cut_off(self, turn: int) -> bool:
        return bool(self._of_turn("interruption", turn)) or (
            self._is_said(turn) and any(e.data["event_id"] in self._responses(turn) for e in self._of("correction"))
        )

    def _is_answered(self, turn: int) -> bool:
        """The caller has spoken since it was over."""
        kinds = [e.kind for e in self.events if e.kind == "user_turn" or _is_of(e, turn)]
        return self._is_said(turn) and kinds[-1:] == ["user_turn"]

    def _is_said(self, turn: int) -> bool:
        """To its end, and not begun once more since."""
        kinds = [event.kind for event in self._of("clause", "answer", "said") if _is_of(event, turn)]
        return kinds[-1:] == ["said"]

    def _responses(self, turn: int) -> set[int]:
        return {event.data["event_id"] for event in self._of_turn("agent_turn", turn)}

    def _of(self, *kinds: str) -> list[LogEvent]:
        return [event for event in self.events if event.kind in kinds]

    def _of_turn(self, kind: str, turn: int) -> list[LogEvent]:
        return [event for event in self._of(kind) if event.data["turn"] == turn]


def _is_skipped(rounds: list[Round]) -> bool:
    """The agent waits for the caller: what was typed or said needs no answer."""
    return any(use.call.name == SKIP_TURN and use.outcome for each in rounds for use in each.uses)


def _is_of(event: LogEvent, turn: int) -> bool:
    return event.data.get("turn") == turn
