"""Recognisers that hear what they are told to, and what the tests of hedging share."""

import asyncio
from collections.abc import Sequence

from serve_app.conversation.breaker import OPENS_AT, PROBE_AFTER_S, Breaker
from serve_app.errors import TranscriptionError
from serve_app.ports import Transcript
from serve_app.providers.hedged_transcriber import HedgedTranscriber

REFUSED = TranscriptionError("Groq answered HTTP 500")


class Ear:
    """Hears `text` after `delay_s`, or fails then; keeps what it was asked, and what became of it."""

    def __init__(self, text: str, delay_s: float, *, confidence: float = 0.9, error: Exception | None = None) -> None:
        self.text, self.delay_s, self.confidence, self.error = text, delay_s, confidence, error
        self.asked: list[tuple[bytes, str | None, Sequence[str]]] = []
        self.now = self.cancelled = 0
        self.tentative: bool | None = None  # the last one
        self.closed = self.asleep = False

    async def aclose(self) -> None:
        self.closed = True

    def if_awake(self) -> "Ear | None":
        return None if self.asleep else self

    async def transcribe(
        self, pcm: bytes, *, language: str | None, keywords: Sequence[str] = (), tentative: bool = False
    ) -> Transcript:
        self.asked.append((pcm, language, keywords))
        self.tentative = tentative
        self.now += 1
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= 1
        if self.error:
            raise self.error
        return Transcript(self.text, "pt", self.confidence if self.text else 0.0)


def groq(delay_s: float, text: str = "from Groq", confidence: float = 0.9, error: Exception | None = None) -> Ear:
    return Ear(text, delay_s, confidence=confidence, error=error)


def local(
    delay_s: float = 0.2, text: str = "from here", confidence: float = 0.9, error: Exception | None = None
) -> Ear:
    return Ear(text, delay_s, confidence=confidence, error=error)


async def hear(hedged: HedgedTranscriber, *, tentative: bool = False) -> tuple[Transcript, float]:
    """One utterance, and how many seconds it took."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    heard = await hedged.transcribe(b"pcm", language="pt", keywords=("Pix",), tentative=tentative)
    return heard, round(clock() - begun, 6)


def opened() -> Breaker:
    """One that lets a probe through at once."""
    breaker = Breaker("Groq")
    for _ in range(OPENS_AT):
        breaker.failed(-PROBE_AFTER_S)
    return breaker
