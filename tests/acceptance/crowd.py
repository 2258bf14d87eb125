"""Callers who talk at the same time, in real time: each says a phrase again and again, and keeps what comes of it."""

import asyncio
import base64
import json
import math
from collections.abc import Callable
from itertools import cycle, pairwise, takewhile
from statistics import median
from typing import NamedTuple

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import Samples
from tests.espeak import render

PHRASES = (("olá", "tudo bem"), ("não", "obrigado"), ("tudo bem", "obrigado"))
"""With a pause between the parts. The offline agent has a short answer to each."""
PAUSE_S = 0.200
AUDIBLE = 300
ROOM_NOISE = 8.0  # standard deviation of the samples: about -72 dB of full scale
FRAME_S = FRAME_SAMPLES / RATE
DIALS_S = 1.5
"""Before the first word: every line is open by then."""
OPENING = {
    "type": "conversation_initiation_client_data",
    "conversation_config_override": {
        "agent": {"first_message": ""},
        "conversation": {"client_events": ["user_transcript", "agent_response", "internal_turn_probability"]},
    },
}
"""Without sound: it is only for the turns."""

Frames = list[str]


class Turn(NamedTuple):
    """`over`: the moment when its last frame was sent. `waits`: seconds from there to each transcript; there should be
    one. `judged`: the judge was heard before the first."""

    over: float
    waits: tuple[float, ...]
    answered: bool
    judged: bool

    @property
    def lost(self) -> bool:
        return len(self.waits) != 1 or not self.answered


class Call(NamedTuple):
    """A caller's turns, before something happened to the server and after it. `late_s`: how late frames were sent."""

    before: list[Turn]
    after: list[Turn]
    late_s: list[float]

    @property
    def usual_wait(self) -> float:
        return median(turn.waits[0] for turn in self.before if not turn.lost)

    @property
    def delays(self) -> list[float]:
        """Of the turns after it, against what was usual."""
        return [turn.waits[0] - self.usual_wait for turn in self.after if not turn.lost]


async def crowd(
    ws_url: str, callers: int, *, before: int, after: int, every_s: float, happens: Callable[[], None]
) -> list[Call]:
    """Each takes one turn to find their voice, then so many `before` it `happens` and `after`. A turn begins every
    `every_s`; the callers are spread evenly over that time."""
    loop = asyncio.get_running_loop()
    starts = loop.time() + DIALS_S
    talkers = [Talker(PHRASES[i % len(PHRASES)], starts + every_s * i / callers) for i in range(callers)]
    talking = [asyncio.create_task(talker.talk(ws_url, 1 + before + after, every_s)) for talker in talkers]
    await asyncio.sleep(starts + (1 + before) * every_s - loop.time())
    happens()
    moment = loop.time()
    calls = zip(talkers, await asyncio.gather(*talking), strict=True)
    return [_parted(talker, turns[1:], moment) for talker, turns in calls]


class Talker:
    """Says the phrase for the first time at the moment `starts`. All moments are the event loop's."""

    def __init__(self, phrase: tuple[str, ...], starts: float) -> None:
        self.late_s: list[float] = []
        self._starts = starts
        self._clip = _frames(_spoken(phrase))
        self._room = cycle(_frames(np.random.default_rng(7).normal(0, ROOM_NOISE, RATE).astype(np.int16)))
        self._over: list[float] = []  # of each turn so far
        self._heard: list[tuple[float, str]] = []

    async def talk(self, ws_url: str, turns: int, every_s: float) -> list[Turn]:
        async with connect(f"{ws_url}/v1/convai/conversation?agent_id=default", compression=None) as ws:
            await ws.send(json.dumps(OPENING))
            hearing = asyncio.create_task(self._hear(ws))
            await self._speak(ws, turns, every_s)
            hearing.cancel()
        return [self._turn(over, until) for over, until in pairwise([*self._over, math.inf])]

    async def _speak(self, ws: ClientConnection, turns: int, every_s: float) -> None:
        """A frame every 20 ms, when it is over."""
        loop = asyncio.get_running_loop()
        now, speech = loop.time(), iter(Frames())
        while now < self._starts + turns * every_s:
            if now >= self._starts + len(self._over) * every_s:
                self._over.append(now)
                speech = iter(self._clip)
            now += FRAME_S
            await asyncio.sleep(now - loop.time())
            self.late_s.append(loop.time() - now)
            if frame := next(speech, None):
                self._over[-1] = loop.time()
            await ws.send(frame or next(self._room))

    async def _hear(self, ws: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        async for data in ws:
            event = json.loads(data)
            self._heard.append((loop.time(), event["type"]))
            if event["type"] == "ping":
                await ws.send(json.dumps({"type": "pong", "event_id": event["ping_event"]["event_id"]}))

    def _turn(self, over: float, until: float) -> Turn:
        """`until`: when the next one was over. What comes of a turn too early is counted as the last one's, which has
        one transcript too many then."""
        heard = [(at - over, kind) for at, kind in self._heard if over <= at < until]
        kinds = [kind for _, kind in heard]
        waits = tuple(wait for wait, kind in heard if kind == "user_transcript")
        undecided = takewhile(lambda kind: kind != "user_transcript", kinds)
        return Turn(over, waits, "agent_response" in kinds, "internal_turn_probability" in undecided)


def _parted(talker: Talker, turns: list[Turn], moment: float) -> Call:
    before = [turn for turn in turns if turn.over < moment]
    return Call(before, turns[len(before) :], talker.late_s)


def _spoken(phrase: tuple[str, ...]) -> Samples:
    """From the first sound to the last."""
    pause = np.zeros(round(PAUSE_S * RATE), np.int16)
    pieces = [piece for part in phrase for piece in (pause, _trimmed(render(part, "pt")))]
    return np.concatenate(pieces[1:])


def _trimmed(samples: Samples) -> Samples:
    sounding = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    return samples[sounding[0] : sounding[-1] + 1]


def _frames(samples: Samples) -> Frames:
    """Whole ones, up to the last sample, as they are sent."""
    pcm = (frame.tobytes() for frame in samples[len(samples) % FRAME_SAMPLES :].reshape(-1, FRAME_SAMPLES))
    return [json.dumps({"user_audio_chunk": base64.b64encode(audio).decode()}) for audio in pcm]
