"""What a session works with."""

from collections.abc import Callable
from typing import NamedTuple

from serve_app.observability.tracing import NO_TRACER, Tracer
from serve_app.ports import (
    ConversationLog,
    Guard,
    LanguageModel,
    Recorder,
    Speaker,
    Transcriber,
    TurnJudge,
    WebhookCaller,
)


class Parts(NamedTuple):
    """The ports of a session, and where it reports how long (seconds) a text frame of audio waited for its verdict.
    `recorder` None: no call is recorded. `tracer` records what calls spend their time on. `guard` None: no model looks
    at callers' words."""

    transcriber: Transcriber
    speaker: Speaker
    model: LanguageModel
    webhooks: WebhookCaller
    judge: TurnJudge
    log: ConversationLog
    waited: Callable[[float], None]
    recorder: Recorder | None = None
    tracer: Tracer = NO_TRACER
    guard: Guard | None = None
