"""What leaves the conversation: messages to the client, entries in the log, and whatever else the session is to do."""

from collections.abc import Callable
from typing import Any

import msgspec

from serve_app.conversation.actions import Action, Actions, End, Log, Send
from serve_app.conversation.fallback import Fallback
from serve_app.conversation.server_messages import ALWAYS_SENT, Error, ServerMessage
from serve_app.errors import HelloError


class Outgoing:
    """Collects actions until they are taken; after the end there are none. `events`: the types of message that the
    client wants."""

    def __init__(self) -> None:
        self.events: frozenset[str] = frozenset()
        self.opened = 0.0
        """When the conversation began, on the loop clock."""
        self.event_id = 0
        """The newest."""
        self._actions: Actions = []
        self._over = False

    def do(self, action: Action) -> None:
        if not self._over:
            self._actions.append(action)
        self._over = self._over or isinstance(action, End)

    def send(self, message: ServerMessage) -> None:
        if message.TYPE in self.events or message.TYPE in ALWAYS_SENT:
            self.do(Send(message))

    def new_id(self) -> int:
        """Ids rise by one over all messages, sent or filtered."""
        self.event_id += 1
        return self.event_id

    def send_with_id(self, build: Callable[[int], ServerMessage]) -> int:
        event_id = self.new_id()
        self.send(build(event_id))
        return event_id

    def refuse(self, error: HelloError) -> None:
        """Tell the client what cannot be honoured. The conversation goes on."""
        self.send(Error.of(error))
        self.log_error(error)

    def log(self, kind: str, **data: Any) -> None:
        self.do(Log(kind, data))

    def log_error(self, error: HelloError) -> None:
        self.log("error", code=error.close_code, error_type=error.error_type, message=error.message)

    def log_fallback(self, fallback: Fallback) -> None:
        self.log("fallback", **msgspec.structs.asdict(fallback))

    def time_in_call(self, now: float) -> float:
        return round(now - self.opened, 3)

    def take(self) -> Actions:
        actions, self._actions = self._actions, []
        return actions
