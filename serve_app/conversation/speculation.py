"""Work begun before the turn is decided: how far it goes, how much of it there may be, and when it still holds."""

import re
import unicodedata
from enum import Enum

from serve_app.conversation.allowance import Bucket

BILLED_AT_LEAST_S = 10.0
"""Groq bills no request for less (console.groq.com, November 2026)."""
REQUESTS_A_MINUTE = 240
BILLED_S_A_MINUTE = 3600
"""Four US cents an hour of audio: four cents a minute for all calls of a replica, at most."""


class Speculation(Enum):
    """How far: each step includes the ones before it."""

    OFF = "off"
    STT = "stt"
    LLM = "llm"
    TTS = "tts"

    def includes(self, step: "Speculation") -> bool:
        steps = list(Speculation)
        return steps.index(self) >= steps.index(step)


class Ration:
    """Recognitions that nobody waits for yet, of all calls that share it: at most so many requests, and so many billed
    seconds of audio, a minute."""

    def __init__(
        self, requests_a_minute: float = REQUESTS_A_MINUTE, billed_s_a_minute: float = BILLED_S_A_MINUTE
    ) -> None:
        self._requests = Bucket(requests_a_minute / 60, requests_a_minute, 0.0)
        self._billed_s = Bucket(billed_s_a_minute / 60, billed_s_a_minute, 0.0)

    def take(self, now: float, seconds: float) -> bool:
        """For one request with so much audio; False: not now."""
        billed_s = max(seconds, BILLED_AT_LEAST_S)
        if not self._billed_s.holds(now, billed_s):  # a request that is not made uses none up
            return False
        return self._requests.take(now) and self._billed_s.take(now, billed_s)


def same_words(one: str, other: str) -> bool:
    """Whether two transcripts say the same: punctuation and capitals differ from one recognition to the next."""
    return _words(one) == _words(other)


def _words(text: str) -> list[str]:
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).split()
