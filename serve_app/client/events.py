"""What a conversation tells its app besides the server's messages."""

from typing import NamedTuple, TypeAlias

from serve_app.conversation.server_messages import ServerMessage


class ConversationOver(Exception):
    """It cannot be begun, or not be gone on with. `code`: a WebSocket close code; 1006 where nobody gave one."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Reconnecting(NamedTuple):
    """The line is lost. The attempt of this number, from 1, is made `wait_s` seconds from now."""

    attempt: int
    wait_s: float
    why: str


class Resumed(NamedTuple):
    """The conversation goes on: `away_s` after its line was lost. `lost_s`: of what the caller said meanwhile, so many
    seconds are gone."""

    away_s: float
    lost_s: float


class StartedAnew(NamedTuple):
    """Nobody had the conversation any more: another has begun in its place, with the same opening data, `away_s` after
    the line was lost. What the caller has said since their last turn that was answered is said again to it, but for
    `lost_s`, its oldest seconds: of the microphone, whether there were words in them or not. `why`: the loss."""

    away_s: float
    lost_s: float
    why: str


Event: TypeAlias = ServerMessage | Reconnecting | Resumed | StartedAnew
