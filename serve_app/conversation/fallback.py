"""What took a provider's place when it failed, or was late."""

from typing import Literal

import msgspec


class Fallback(msgspec.Struct, frozen=True):
    """For the record and for metrics. `why` is in our own words, and holds nothing of the conversation."""

    stage: Literal["stt", "llm", "tts"]
    failed: str
    why: str
    instead: str
