"""An answer as it is written: start, deltas, stop."""

from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.server_messages import AgentChatResponsePart, AgentReasoningResponsePart

Part = type[AgentChatResponsePart] | type[AgentReasoningResponsePart]


class Parts:
    """Feed it the text so far; it sends what is new of it."""

    def __init__(self, part: Part, out: Outgoing, event_id: int) -> None:
        self._part = part
        self._out = out
        self._event_id = event_id
        self._sent = 0
        self._open = False

    def advance(self, text: str) -> None:
        if len(text) <= self._sent:
            return
        if not self._open:
            self._open = True
            self._out.send(self._part("", "start", self._event_id))
        self._out.send(self._part(text[self._sent :], "delta", self._event_id))
        self._sent = len(text)

    def stop(self) -> None:
        """Also of one that has nothing to say."""
        if self._open:
            self._open = False
            self._out.send(self._part("", "stop", self._event_id))
