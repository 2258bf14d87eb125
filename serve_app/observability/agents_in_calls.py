"""With which agent each conversation began, learnt from its own events."""

from serve_app.ports import LogEvent

MOST_CALLS = 4096
"""Known at once. One that goes on elsewhere does not say goodbye: the oldest make room."""
UNKNOWN = "other"


class AgentsInCalls:
    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, event: LogEvent) -> str:
        """Of the conversation that it is about: to be asked about each event, in order."""
        if event.kind in ("started", "resumed"):
            self._known.setdefault(event.conversation_id, str(event.data.get("agent_id", UNKNOWN)))
            if len(self._known) > MOST_CALLS:
                del self._known[next(iter(self._known))]
        if event.kind == "ended":
            return self._known.pop(event.conversation_id, UNKNOWN)
        return self._known.get(event.conversation_id, UNKNOWN)
