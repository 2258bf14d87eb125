"""What the conversation wants done. The session does it, and reports back under the ids that stand here."""

from collections.abc import Sequence
from typing import Any

import msgspec

from serve_app.conversation.decisions import Judge, Recognise
from serve_app.conversation.dialogue import Message
from serve_app.conversation.protocol import ServerMessage
from serve_app.errors import HelloError


class Send(msgspec.Struct, frozen=True):
    message: ServerMessage


class StopRecognising(msgspec.Struct, frozen=True):
    """The recognition that runs, if any, is void."""


class Think(msgspec.Struct, frozen=True):
    """Ask the language model; report tokens, the end or the failure under `reply`."""

    reply: int
    messages: Sequence[Message]
    language: str


class Speak(msgspec.Struct, frozen=True):
    """Ask the voice for one clause; report chunks, the end or the failure under `reply` and `clause`."""

    reply: int
    clause: int
    text: str
    language: str


class Stop(msgspec.Struct, frozen=True):
    """End all work for this reply, at once."""

    reply: int


class Log(msgspec.Struct, frozen=True):
    kind: str
    data: dict[str, Any]


class End(msgspec.Struct, frozen=True):
    """The conversation is over; the caller is told why."""

    error: HelloError


Action = Send | Recognise | StopRecognising | Judge | Think | Speak | Stop | Log | End
Actions = list[Action]
