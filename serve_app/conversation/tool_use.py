"""The tools that one answer uses: calls under way, and what came of them."""

from typing import Any

import msgspec

from serve_app.conversation.dialogue import Message
from serve_app.conversation.tools import Tool, ToolCall, kind

LONGEST_RESULT = 32_000
"""Characters of a result that the model is told."""
INTERRUPTED = "The caller spoke before there was a result."


class Outcome(msgspec.Struct, frozen=True):
    """What the model is told. `is_called` False: the tool was never reached. `is_final`: there is nothing in it to
    speak about."""

    text: str
    is_error: bool = False
    is_called: bool = True
    is_final: bool = False

    @staticmethod
    def of(result: Any, *, is_error: bool) -> "Outcome":
        """Any JSON value that a client answered with."""
        return Outcome(result if isinstance(result, str) else msgspec.json.encode(result).decode(), is_error)

    @property
    def truncated(self) -> bool:
        return len(self.text) > LONGEST_RESULT

    @property
    def told(self) -> str:
        return f"{self.text[:LONGEST_RESULT]} [cut]" if self.truncated else self.text


class ToolUse:
    """One call. `tool` None: there is none of that name. `due`: when an outcome counts as missing."""

    def __init__(self, call: ToolCall, tool: Tool | None, now: float) -> None:
        self.call = call
        self.tool = tool
        self.started = now
        self.due = float("inf")
        self.outcome: Outcome | None = None

    @property
    def tool_type(self) -> str:
        """ElevenLabs' name for it."""
        return kind(self.tool) if self.tool else "unknown"


class Round:
    """The calls that the model made at once, at this place in its answer."""

    def __init__(self, start: int, end: int, uses: list[ToolUse]) -> None:
        self.start = start
        self.end = end
        self.uses = uses

    @property
    def pending(self) -> list[ToolUse]:
        return [use for use in self.uses if use.outcome is None]

    def messages(self, said: str) -> list[Message]:
        """As the model will be told of it; `said` is what was heard before the calls."""
        results = [
            Message("tool", use.outcome.told if use.outcome else INTERRUPTED, tool_call_id=use.call.id)
            for use in self.uses
        ]
        return [Message("assistant", said, tuple(use.call for use in self.uses)), *results]
