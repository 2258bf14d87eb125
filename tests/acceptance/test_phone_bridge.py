"""A phone bridge: mu-law at 8 kHz both ways, 20 ms at a time, through the real server."""

import asyncio
import base64
import json

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect

from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_weights import find_weights
from serve_app.audio.pcm import AudioFormat, Samples
from tests.acceptance.server import Server
from tests.espeak import RATE, render

LINE = AudioFormat.parse("ulaw_8000")
PACKET_S = 0.020


class Bridge:
    """The line is up for as long as `run` runs: silence, or what `say` was given last."""

    def __init__(self, socket: ClientConnection) -> None:
        self.received: list[dict[str, object]] = []
        self._socket = socket
        self._pending = b""
        self._came = asyncio.Event()

    def say(self, samples: Samples) -> None:
        self._pending = LINE.encode(soxr.resample(samples, RATE, LINE.rate))

    def audio(self, since: int = 0) -> bytes:
        messages = [m for m in self.received[since:] if m["type"] == "audio"]
        return b"".join(base64.b64decode(m["audio_event"]["audio_base_64"]) for m in messages)  # type: ignore[index]

    async def until(self, kind: str, count: int = 1) -> int:
        """Until so many of this type have come; where the last of them stands among all that was received."""
        async with asyncio.timeout(20):
            while sum(m["type"] == kind for m in self.received) < count:
                self._came.clear()
                await self._came.wait()
        return [i for i, m in enumerate(self.received) if m["type"] == kind][count - 1]

    async def until_quiet(self, seconds: float = 1.0) -> None:
        try:
            while True:
                count = sum(m["type"] == "audio" for m in self.received) + 1
                async with asyncio.timeout(seconds):
                    await self.until("audio", count)
        except TimeoutError:
            return

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._send())

    async def _send(self) -> None:
        await self._socket.send('{"type": "conversation_initiation_client_data"}')
        size = LINE.bytes_for(PACKET_S)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            packet, self._pending = self._pending[:size], self._pending[size:]
            audio = base64.b64encode(packet + LINE.silence(size - len(packet))).decode()
            await self._socket.send(json.dumps({"user_audio_chunk": audio}))
            due += PACKET_S
            await asyncio.sleep(due - loop.time())

    async def _listen(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            self.received.append(message)
            self._came.set()
            if message["type"] == "ping":
                pong = {"type": "pong", "event_id": message["ping_event"]["event_id"]}
                await self._socket.send(json.dumps(pong))


def test_a_call_over_the_telephone(server: Server) -> None:
    async def scenario() -> tuple[str, str, bytes]:
        async with connect(f"{server.ws_url}/v1/convai/conversation?agent_id=phone", proxy=None) as socket:
            bridge = Bridge(socket)
            line = asyncio.create_task(bridge.run())
            metadata = bridge.received[await bridge.until("conversation_initiation_metadata")]
            formats = metadata["conversation_initiation_metadata_event"]
            assert formats["user_input_audio_format"] == formats["agent_output_audio_format"] == LINE.name  # type: ignore[index]
            await bridge.until("audio", 10)
            await bridge.until_quiet()
            bridge.say(await asyncio.to_thread(render, "bom dia", "pt"))
            heard = bridge.received[await bridge.until("user_transcript")]
            response = await bridge.until("agent_response", 2)
            await bridge.until_quiet()
            line.cancel()
            answer = bridge.received[response]
        said = heard["user_transcription_event"]["user_transcript"]  # type: ignore[index]
        return said, answer["agent_response_event"]["agent_response"], bridge.audio(response)  # type: ignore[index]

    said, answered, audio = asyncio.run(scenario())
    assert (said, answered) == ("bom dia", "Bom dia!")
    assert words(audio) == "bom dia", "it is heard as it was said"


def words(audio: bytes) -> str:
    samples = soxr.resample(LINE.decode(audio), LINE.rate, RATE)
    [transcript] = WhisperEngine(find_weights(None)).transcribe(
        [Utterance(np.ascontiguousarray(samples).tobytes(), "pt")]
    )
    return transcript.text.lower().strip(" !.")
