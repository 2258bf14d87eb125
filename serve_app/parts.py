"""What a session works with."""

from collections.abc import Callable
from typing import NamedTuple

from serve_app.ports import (
    ConversationLog,
    LanguageModel,
    Recorder,
    Speaker,
    Transcriber,
    TurnJudge,
    WebhookCaller,
)


class Parts(NamedTuple):
    """The ports of a session, and where it reports how long (seconds) a text frame of audio waited for its verdict.
    `recorder` None: no call is recorded."""

    transcriber: Transcriber
    speaker: Speaker
    model: LanguageModel
    webhooks: WebhookCaller
    judge: TurnJudge
    log: ConversationLog
    waited: Callable[[float], None]
    recorder: Recorder | None = None
