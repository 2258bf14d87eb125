"""The scripted agent says what the protocol says, in its order: so a client that passes with it is a client."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from serve_app.audio.pcm import AudioFormat
from tests.fakes.agent_server import AgentServer, Line

SCHEMAS = Path(__file__).parents[3] / "shared" / "protocol" / "messages.json"

STORY = Line("conte", "Era uma vez um rei.", seconds=3.0, metrics={"convai_tts_service_ttfb": 0.05})


def caller_audio(seconds: float, *, loud: bool) -> str:
    samples = np.full(round(seconds * 16000), 9000, np.int16)
    samples[::2] *= -1
    return base64.b64encode((samples * loud).astype("<i2").tobytes()).decode()


@pytest.fixture(scope="module")
def frames() -> list[dict[str, Any]]:
    """What the agent sends to a caller who asks, is answered, and speaks over the answer."""
    return asyncio.run(_interrupted_call())


async def _interrupted_call() -> list[dict[str, Any]]:
    lines = [(0.2, True), (0.4, False), (0.2, True)]
    server = AgentServer([STORY], greeting=Line("", "Olá!", seconds=0.04))
    async with server, connect(server.url + "/?agent_id=default", subprotocols=[Subprotocol("convai")]) as socket:
        assert socket.subprotocol == "convai"
        await socket.send(json.dumps({"type": "conversation_initiation_client_data"}))
        received = [json.loads(await socket.recv()) for _ in range(4)]
        for seconds, loud in lines:
            for _ in range(round(seconds / 0.02)):
                await socket.send(json.dumps({"user_audio_chunk": caller_audio(0.02, loud=loud)}))
        while received[-1]["type"] != "agent_response_correction":
            received.append(json.loads(await socket.recv()))
    assert received == server.sent
    return received


def test_order_of_a_call(frames: list[dict[str, Any]]) -> None:
    kinds = [frame["type"] for frame in frames]
    assert kinds[:4] == ["conversation_initiation_metadata", "ping", "agent_response", "audio"]
    assert kinds[4:6] == ["user_transcript", "agent_response"]
    interrupted = kinds.index("interruption")
    assert kinds[interrupted:] == ["interruption", "audio", "audio", "agent_response_correction"]


def test_only_the_fade_is_newer_than_the_interruption(frames: list[dict[str, Any]]) -> None:
    interrupted = next(frame["interruption_event"]["event_id"] for frame in frames if frame["type"] == "interruption")
    audio = [frame["audio_event"] for frame in frames if frame["type"] == "audio"]
    newer = [event for event in audio if event["event_id"] > interrupted]
    assert len(newer) == 1
    fade = AudioFormat("pcm", 16000).decode(base64.b64decode(newer[0]["audio_base_64"]))
    assert len(fade) == 960
    assert np.abs(fade[-32:]).max() < 400


@pytest.mark.skipif(not SCHEMAS.exists(), reason="the protocol's schemas are not here")
def test_every_frame_fits_its_schema(frames: list[dict[str, Any]]) -> None:
    events = json.loads(SCHEMAS.read_text())["events"]
    schemas = {event["type"]: event["schema"] for event in events if event["direction"] == "server_to_client"}
    for frame in frames:
        jsonschema.validate(frame, schemas[frame["type"]])
