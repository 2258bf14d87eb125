"""Plays scores in real time against the server: several callers side by side, each a WebSocket client that sends a
frame every 20 ms on an absolute schedule and keeps what comes back with the moment it came.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import websockets
from websockets.asyncio.client import ClientConnection

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from tests.feel.agents import agent_id
from tests.feel.caller import Caller, Event
from tests.feel.outcome import Outcome, outcome
from tests.feel.recogniser import Recorded
from tests.feel.score import Kind, Score
from tests.feel.server import Served
from tests.feel.silences import silences
from tests.feel.voices import level

FRAME_S = FRAME_SAMPLES / RATE
SIDE_BY_SIDE = 6
"""Calls at once that two cores bear: server, providers and callers."""
LATE_S, LATE_FRAMES = 0.040, 0.01
"""A frame sent this late was two. A call with more than this share of such frames is played again, by itself."""
AGAIN = 0.1
"""Share of the calls that may be: with more the machine is too busy for any."""


@dataclass
class Performance:
    """One playing of a score. `lateness`: of each frame, in seconds."""

    score: Score
    outcome: Outcome
    conversation_id: str
    lateness: list[float] = field(default_factory=list)

    @property
    def late(self) -> bool:
        return sum(late > LATE_S for late in self.lateness) > LATE_FRAMES * len(self.lateness)


async def perform(scores: Sequence[Score], served: Served) -> list[Performance]:
    """Each score, in order. What a late player has spoilt is played again, alone."""
    waiting = list(enumerate(scores))[::-1]
    done: dict[int, Performance] = {}

    async def one_after_another() -> None:
        while waiting:
            number, score = waiting.pop()
            done[number] = await _perform(score, served)

    await asyncio.gather(*(one_after_another() for _ in range(SIDE_BY_SIDE)))
    late = [number for number, performance in done.items() if performance.late]
    if len(late) <= AGAIN * len(scores):
        for number in late:
            done[number] = await _perform(scores[number], served)
    return [done[number] for number in range(len(scores))]


async def _perform(score: Score, served: Served) -> Performance:
    call = _Call(score)
    served.recogniser.listen(call.recorded)
    try:
        async with websockets.connect(f"{served.ws_url}/v1/convai/conversation?agent_id={agent_id(score)}") as socket:
            await call.play(socket)
    finally:
        served.recogniser.forget(call.recorded)
    quiet = await asyncio.to_thread(silences, call.recorded.samples) if score.kind is Kind.PAUSE else ()
    return Performance(score, outcome(call.caller, (), quiet), call.conversation_id, call.lateness)


class _Call:
    def __init__(self, score: Score) -> None:
        self.caller = Caller(score)
        self.recorded = Recorded(self.caller)
        self.lateness: list[float] = []
        self.conversation_id = ""
        self._began = 0.0

    async def play(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps({"type": "conversation_initiation_client_data"}))
        metadata = json.loads(await socket.recv())["conversation_initiation_metadata_event"]
        self.conversation_id = metadata["conversation_id"]
        self._began = self._now()
        hearing = asyncio.create_task(self._hear(socket))
        try:
            await self._speak(socket)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _speak(self, socket: ClientConnection) -> None:
        while not self.caller.done:
            audio = self.caller.frame()
            due = self._began + self.caller.now
            await asyncio.sleep(due - self._now())
            self.lateness.append(self._now() - due)
            self.recorded.send(audio)
            await socket.send(json.dumps({"user_audio_chunk": base64.b64encode(audio).decode()}))

    async def _hear(self, socket: ClientConnection) -> None:
        async for data in socket:
            at, message = self._now() - self._began, json.loads(data)
            match message:
                case {"type": "ping", "ping_event": {"event_id": event_id}}:
                    await socket.send(json.dumps({"type": "pong", "event_id": event_id}))
                case {"type": "audio", "audio_event": {"audio_base_64": encoded}}:
                    audio = base64.b64decode(encoded)
                    self.caller.hear(Event(at, "audio", level(audio, self.caller.microphone.format)), audio)
                case _:
                    self.caller.hear(Event(at, message["type"]))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
