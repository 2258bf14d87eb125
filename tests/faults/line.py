"""The caller's end of a call, in real time: a microphone, a loudspeaker, and a clock on both."""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import Samples
from serve_app.ports import LogEvent
from serve_app.session import Session
from tests.espeak import render
from tests.fakes.ports import MemoryLog
from tests.microphone import Microphone

AUDIBLE = 100.0  # RMS of a window, -50 dB of full scale
WINDOW = RATE // 100
PATIENCE_S, LOOK_EVERY_S = 20.0, 0.01
_SENTENCES = re.compile(r"\s+|(?<=[.!?])(?=\w)")  # a voice may time the space between them, or not
CUT_OFF = "… "
"""Stands in the text where the agent's voice was."""
BREATH_S = 0.3
"""Between the agent's last word and the caller's next."""


async def until(happened: Callable[[], bool]) -> None:
    """Look now and then, up to PATIENCE_S."""
    for _ in range(round(PATIENCE_S / LOOK_EVERY_S)):
        if happened():
            return
        await asyncio.sleep(LOOK_EVERY_S)


class Heard(NamedTuple):
    """A piece of the agent's sound: when it began to play (loop time), and the characters that begin in it."""

    at: float
    samples: Samples
    text: str


class Turn(NamedTuple):
    """What the caller heard after they had said something, and what was recorded meanwhile.

    `first_s` from the last voiced sample to the first that can be heard; `silence_s` is the longest silence from there
    to the last; both are infinite when nothing was heard.
    """

    text: str
    first_s: float
    silence_s: float
    events: list[LogEvent]

    @property
    def said(self) -> str:
        """The same, as it stands in the record."""
        corrected = {data["event_id"]: data["corrected"] for data in self.of("correction")}
        return " ".join(corrected.get(data["event_id"], data["text"]) for data in self.of("agent_turn"))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.kind == kind]


class Line:
    """An async context manager: the call lasts as long as it is open. It is the session's Socket, too."""

    def __init__(self, session: Session, log: MemoryLog) -> None:
        self.closed: tuple[int, str] | None = None
        self.heard: list[Heard] = []
        self.plays_until = 0.0
        self._session = session
        self._log = log
        self._microphone = Microphone(seed=7)

    async def __aenter__(self) -> "Line":
        self._clock = asyncio.get_running_loop().time
        self._session.attach(self)
        self._running = asyncio.create_task(self._session.run())
        self._session.receive('{"type":"conversation_initiation_client_data"}')
        self._speaking = asyncio.create_task(self._speak())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._speaking.cancel()
        self._session.detach(self, 1000)
        await asyncio.wait([self._running, self._speaking], timeout=5)

    @property
    def lives(self) -> bool:
        return self.closed is None and not self._running.done()

    async def turn(self, phrase: str) -> Turn:
        """Say this, and listen until the agent has finished."""
        known = len(self._log.entries)
        await asyncio.sleep(BREATH_S)
        begun = self._clock()
        self._microphone.say(_voiced(phrase))
        await until(lambda: not self.lives or self._answered(begun))
        events = [e for e in self._log.entries[known:] if e.conversation_id == self._session.id]
        return Turn(*measured([each for each in self.heard if each.at > begun], self._microphone.said_at), events)

    def _answered(self, begun: float) -> bool:
        """The agent has spoken, and everything of it was heard."""
        now = self._clock()
        spoken = self._microphone.said_at < now and any(heard.at > begun for heard in self.heard)
        return spoken and self.plays_until < now and self._session._conversation.answering.reply is None

    async def _speak(self) -> None:
        async for lump in self._microphone.lumps():
            self._session.receive(json.dumps({"user_audio_chunk": base64.b64encode(lump).decode()}))

    # ---- the loudspeaker, and the rest of a client

    async def send_text(self, data: str) -> None:
        message = json.loads(data)
        match message["type"]:
            case "audio":
                self._play(message["audio_event"])
            case "interruption":
                self._flush()
            case "agent_response_correction":
                self.heard.append(Heard(self.plays_until, np.empty(0, np.int16), CUT_OFF))
            case "ping":
                pong = {"type": "pong", "event_id": message["ping_event"]["event_id"]}
                self._session.receive(json.dumps(pong))

    async def close(self, code: int, reason: str) -> None:
        self.closed = code, reason

    def _play(self, event: dict[str, Any]) -> None:
        samples = np.frombuffer(base64.b64decode(event["audio_base_64"]), "<i2").astype(np.int16)
        begins = max(self._clock(), self.plays_until)
        self.plays_until = begins + len(samples) / RATE
        self.heard.append(Heard(begins, samples, "".join(event.get("alignment", {}).get("chars", ()))))

    def _flush(self) -> None:
        """What has not begun to play is not played."""
        now = self._clock()
        self.heard = [each for each in self.heard if each.at <= now]
        self.plays_until = min(self.plays_until, now)


def measured(heard: Sequence[Heard], stopped: float) -> tuple[str, float, float]:
    """`text`, `first_s` and `silence_s` of a Turn in which the caller stopped at that moment."""
    audible = np.array([moment for each in heard for moment in _audible(each)])
    if not len(audible):
        return "", float("inf"), float("inf")
    silences = np.diff(audible, prepend=stopped - WINDOW / RATE) - WINDOW / RATE
    text = _SENTENCES.sub(" ", "".join(each.text for each in heard)).strip()
    return text, float(audible[0] - stopped), float(silences.max())


def _voiced(phrase: str) -> Samples:
    """The phrase, up to its last voiced sample."""
    samples = render(phrase, "en")
    return samples[: int(np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)[-1]) + 1]


def _audible(heard: Heard) -> list[float]:
    """When the windows that can be heard begin."""
    windows = [heard.samples[start : start + WINDOW] for start in range(0, len(heard.samples), WINDOW)]
    levels = [np.sqrt(np.mean(window.astype(np.float64) ** 2)) for window in windows]
    return [heard.at + number * WINDOW / RATE for number, level in enumerate(levels) if level > AUDIBLE]
