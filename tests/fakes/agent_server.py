"""An ElevenLabs agent on a loopback port, for tests of clients: it says its lines, in tones, as a server would.

It greets, hears by loudness that the caller's turn is over, answers with its next line, and is interrupted by a caller
who speaks over it. Audio is paced with a lead, each message with its own id; after an interruption comes the fade, and
one stale message with an old id, such as may still be on its way: clients must not play it.
"""

import asyncio
import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from serve_app.audio.pcm import AudioFormat, Samples, level_db
from tests.fakes.static_files import serve_file

CHUNK_SECONDS = 0.04
FADE_SECONDS = 0.06
STALE_SECONDS = 0.5
LOUD_DB = -35.0
ONSET_SECONDS = 0.06
PAUSE_SECONDS = 0.3


class Line(NamedTuple):
    """One turn: what the caller is taken to have said, the answer, how long its tone is, and its latencies."""

    heard: str
    answer: str
    seconds: float = 0.4
    metrics: Mapping[str, float] = {}


class HangUp(NamedTuple):
    code: int
    reason: str


class AgentServer:
    """`async with AgentServer(...) as server`: serves at `server.url` until the block ends.

    A caller's turn beyond the last line is never answered. `hang_up`: instead of answering. `repeats_typed`: it
    sends a transcript of what was typed, too. `web`: a folder of static files, served at /web/, its index.html at /.
    `received` holds every message of every client, in order, `sent` every one of ours.
    """

    def __init__(
        self,
        lines: Sequence[Line] = (),
        *,
        greeting: Line | None = None,
        input_format: str = "pcm_16000",
        output_format: str = "pcm_16000",
        lead_seconds: float = 0.06,
        repeats_typed: bool = False,
        hang_up: HangUp | None = None,
        web: Path | None = None,
    ) -> None:
        self.lines = lines
        self.greeting = greeting
        self.input = AudioFormat.parse(input_format)
        self.output = AudioFormat.parse(output_format)
        self.lead_seconds = lead_seconds
        self.repeats_typed = repeats_typed
        self.hang_up = hang_up
        self.web = web
        self.agent_ids: list[str] = []
        self.received: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._converse, "127.0.0.1", 0, process_request=self._serve_file, select_subprotocol=_choose_convai
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Go away, as a process that ends: open sockets are closed with 1001."""
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    def kinds_received(self) -> list[str]:
        """The type of each message but audio, which has none."""
        return [message["type"] for message in self.received if "type" in message]

    def audio_received(self) -> Samples:
        chunks = [base64.b64decode(m["user_audio_chunk"]) for m in self.received if "user_audio_chunk" in m]
        return self.input.decode(b"".join(chunks))

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request
        self.agent_ids += parse_qs(urlsplit(socket.request.path).query)["agent_id"]
        async with asyncio.TaskGroup() as tasks:
            await _Conversation(self, socket, tasks).run()

    def _serve_file(self, connection: ServerConnection, request: Request) -> Response | None:
        return serve_file(self.web, connection, request)


def _choose_convai(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("convai") if "convai" in offered else None


class _Ear:
    """Hears by loudness whether the caller speaks. Counts in audio, not in time of arrival."""

    def __init__(self) -> None:
        self.speaking = False
        self._unlike = 0.0  # seconds that contradict `speaking`

    def hear(self, samples: Samples, seconds: float) -> bool:
        """Take some audio; True when it changed whether the caller speaks."""
        loud = level_db(samples) > LOUD_DB
        self._unlike = self._unlike + seconds if loud != self.speaking else 0.0
        changed = self._unlike >= (PAUSE_SECONDS if self.speaking else ONSET_SECONDS)
        if changed:
            self.speaking, self._unlike = not self.speaking, 0.0
        return changed


class _Conversation:
    def __init__(self, server: AgentServer, socket: ServerConnection, tasks: asyncio.TaskGroup) -> None:
        self._server = server
        self._socket = socket
        self._tasks = tasks
        self._ids = itertools.count(1)
        self._ear = _Ear()
        self._lines = iter(server.lines)
        self._line: Line | None = None
        self._response_id = 0
        self._speech: asyncio.Task[None] | None = None

    async def run(self) -> None:
        formats = {
            "agent_output_audio_format": self._server.output.name,
            "user_input_audio_format": self._server.input.name,
        }
        await self._send("conversation_initiation_metadata", {"conversation_id": "conv_1", **formats})
        await self._send("ping", {"event_id": next(self._ids), "ping_ms": None})
        if self._server.greeting:
            await self._speak(self._server.greeting)
        async for frame in self._socket:
            message = json.loads(frame)
            self._server.received.append(message)
            await self._receive(message)
        if self._speech:
            self._speech.cancel()

    async def _receive(self, message: dict[str, Any]) -> None:
        if message.get("type") == "user_message":
            await self._take_turn(typed=message["text"])
        elif "user_audio_chunk" in message:
            data = base64.b64decode(message["user_audio_chunk"])
            if not self._ear.hear(self._server.input.decode(data), self._server.input.seconds(len(data))):
                return
            if not self._ear.speaking:
                await self._take_turn()
            elif self._speech and not self._speech.done():
                await self._be_interrupted()

    async def _take_turn(self, typed: str | None = None) -> None:
        if self._server.hang_up:
            await self._socket.close(*self._server.hang_up)
        elif line := next(self._lines, None):
            if typed is None or self._server.repeats_typed:
                event = {"user_transcript": typed or line.heard, "event_id": next(self._ids)}
                await self._send("user_transcript", event, "user_transcription_event")
            await self._speak(line)

    async def _speak(self, line: Line) -> None:
        self._line, self._response_id = line, next(self._ids)
        await self._send("agent_response", {"agent_response": line.answer, "event_id": self._response_id})
        self._speech = self._tasks.create_task(self._pace(line))

    async def _pace(self, line: Line) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number in range(round(line.seconds / CHUNK_SECONDS)):
            await asyncio.sleep(number * CHUNK_SECONDS - self._server.lead_seconds - (loop.time() - started))
            await self._send_tone(CHUNK_SECONDS, next(self._ids))
            if number == 0 and line.metrics:
                await self._send_metrics(line)

    async def _send_metrics(self, line: Line) -> None:
        metrics = {name: {"elapsed_time": seconds} for name, seconds in line.metrics.items()}
        metadata = {"conversation_turn_metrics": {"metrics": metrics}}
        await self._send("agent_response_metadata", {"event_id": self._response_id, "metadata": metadata})

    async def _be_interrupted(self) -> None:
        assert self._speech is not None
        assert self._line is not None
        self._speech.cancel()
        interrupted = next(self._ids)
        await self._send("interruption", {"event_id": interrupted})
        await self._send_tone(FADE_SECONDS, next(self._ids), end_gain=0.0)
        await self._send_tone(STALE_SECONDS, interrupted - 1)
        correction = {
            "original_agent_response": self._line.answer,
            "corrected_agent_response": self._line.answer[: len(self._line.answer) // 2],
        }
        await self._send("agent_response_correction", {**correction, "event_id": self._response_id})

    async def _send_tone(self, seconds: float, event_id: int, end_gain: float = 1.0) -> None:
        audio = self._server.output
        time = np.arange(round(seconds * audio.rate)) / audio.rate
        tone = (0.3 * 32767 * np.sin(2 * np.pi * 450 * time)).astype(np.int16)  # whole periods in a chunk
        data = audio.scaled(audio.encode(tone), 1.0, end_gain)
        await self._send("audio", {"audio_base_64": base64.b64encode(data).decode(), "event_id": event_id})

    async def _send(self, kind: str, event: Mapping[str, Any], envelope: str = "") -> None:
        message = {"type": kind, envelope or f"{kind}_event": event}
        self._server.sent.append(message)
        await self._socket.send(json.dumps(message))
