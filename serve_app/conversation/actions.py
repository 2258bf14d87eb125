"""What the conversation wants done. The session does it, and reports back under the ids that stand here."""

from typing import Any

import msgspec

from serve_app.conversation.agent import Voice
from serve_app.conversation.decisions import Judge, Overhear, Recognise
from serve_app.conversation.dynamic_variables import Variables
from serve_app.conversation.model_request import ModelRequest
from serve_app.conversation.server_messages import ServerMessage
from serve_app.conversation.tools import WebhookTool
from serve_app.errors import HelloError


class Send(msgspec.Struct, frozen=True):
    message: ServerMessage


class StopRecognising(msgspec.Struct, frozen=True):
    """The recognition that runs, if any, is void."""


class Think(msgspec.Struct, frozen=True):
    """Ask the language model; report what it brings, the end or the failure under `reply`."""

    reply: int
    request: ModelRequest


class Inspect(msgspec.Struct, frozen=True):
    """Ask a classifier, if there is one, whether the caller's words are an attack; report it under `reply` if so."""

    reply: int
    text: str


class CallWebhook(msgspec.Struct, frozen=True):
    """Make a webhook tool's request; report the result or the failure under `reply` and `call_id`."""

    reply: int
    call_id: str
    tool: WebhookTool
    arguments: dict[str, Any]
    variables: Variables


class Speak(msgspec.Struct, frozen=True):
    """Ask the voice for one clause; report chunks, the end or the failure under `reply` and `clause`."""

    reply: int
    clause: int
    text: str
    language: str
    voice: Voice


class Warm(msgspec.Struct, frozen=True):
    """This voice will be asked for soon."""

    language: str
    voice: Voice


class Murmur(msgspec.Struct, frozen=True):
    """Have this spoken, a word or two, and report its audio as a whole; nothing if it takes long."""

    text: str
    language: str
    voice: Voice


class Stop(msgspec.Struct, frozen=True):
    """End all work for this reply, at once."""

    reply: int


class Log(msgspec.Struct, frozen=True):
    kind: str
    data: dict[str, Any]


class End(msgspec.Struct, frozen=True):
    """The conversation is over; the caller is told why."""

    error: HelloError


Action = (
    Send
    | Recognise
    | Overhear
    | StopRecognising
    | Judge
    | Think
    | Inspect
    | CallWebhook
    | Speak
    | Murmur
    | Warm
    | Stop
    | Log
    | End
)
Actions = list[Action]
