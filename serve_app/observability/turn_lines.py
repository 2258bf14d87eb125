"""A line in the log for each turn of a conversation: who took part, how long what took. Not what was said."""

import logging
from collections.abc import Iterable
from typing import Any

from serve_app.conversation.log_event import LogEvent

logger = logging.getLogger(__name__)

TRACE = 5
"""Below `debug`: every event of every conversation, by its kind."""

_FLAGS = {"interruption": "interrupted", "none_response": "none"}


class TurnLines:
    """Of one conversation. A turn is what the caller said and the answer to it, or what the agent said by itself; its
    line comes at info when the next one begins, or none does any more. At trace there is one of every event, too.
    `before`: what was logged elsewhere, of a conversation that has moved."""

    def __init__(self, agent_id: str, before: Iterable[LogEvent] = ()) -> None:
        transfers = [event.data["agent_id"] for event in before if event.kind == "transfer"]
        self._agent_id = transfers[-1] if transfers else agent_id
        self._turn: dict[str, Any] = {}  # extra fields of its line

    def take(self, event: LogEvent) -> None:
        logger.log(TRACE, "%s", event.kind)
        data = event.data
        match event.kind:
            case "user_turn":
                self.close()
                self._turn = {"agent_id": self._agent_id, "medium": data["medium"], "language": data["language"]}
                self._add_latencies(data["metrics"])
            case "agent_turn":
                self._turn_of(data["turn"])
                self._add_latencies(data["metrics"])
            case "tool_call":
                turn = self._turn_of(data["turn"])
                turn["tools"] = turn.get("tools", 0) + 1
            case "interruption" | "none_response" as kind:
                self._turn_of(data["turn"])[_FLAGS[kind]] = True
            case "transfer":
                self._agent_id = data["agent_id"]

    def close(self) -> None:
        """The turn is over."""
        if self._turn:
            logger.info("turn", extra=self._turn)
        self._turn = {}

    def _turn_of(self, number: int) -> dict[str, Any]:
        """The one with this number; one that has none yet gets it."""
        if self._turn.get("turn", number) != number:
            self.close()
        self._turn.setdefault("agent_id", self._agent_id)
        self._turn["turn"] = number
        return self._turn

    def _add_latencies(self, seconds: dict[str, float]) -> None:
        """By the names of `turn_metrics`, in milliseconds."""
        known = self._turn.setdefault("latencies_ms", {})
        known |= {name: round(each * 1000, 1) for name, each in seconds.items()}
