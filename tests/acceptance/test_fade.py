"""What is heard of an answer that is cut off: its last 60 ms die away, in the official clients, and then nothing."""

import asyncio
import base64
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from typing import Any

import numpy as np
import pytest
from elevenlabs.conversational_ai.conversation import ConversationInitiationData
from numpy.typing import NDArray

from serve_app.audio.pcm import FULL_SCALE, Samples
from tests.acceptance.caller import RATE, Caller
from tests.acceptance.javascript import needs_chromium, needs_clients, page_client, write_microphone
from tests.acceptance.sound import nonzero
from tests.acceptance.sound_card import SoundCard
from tests.acceptance.tap import Tap, TappedConnection
from tests.espeak import render
from tests.web.browser import chromium

VOWEL, VOICE = "i" * 200, "pt-br+anika"
"""Nine seconds of espeak-ng's steadiest sound, so the envelope is what was made of it."""
PERIOD = 84
"""Samples of its pitch, 190.5 Hz: from one to the next its level changes by 0.6 dB at most, and 1 dB in all."""
INTERRUPTION = "quero ver o meu saldo"
SPEAKS_FOR_S = 1.0

RIPPLE = 0.12  # of the vowel's level
LOUDER = 1.4  # 3 dB
SILENT_FOR_S = 0.5
"""At least: the caller finishes the sentence, and is quiet for a while."""


def test_in_the_python_client(tap: Tap) -> None:
    override = {"agent": {"first_message": VOWEL}, "tts": {"voice_id": VOICE}}
    card = SoundCard()
    options = {"audio_interface": card, "config": ConversationInitiationData(conversation_config_override=override)}
    with Caller(tap.url, options=options) as caller:
        caller.until(lambda: len(nonzero(card.loudspeaker.recording())) > SPEAKS_FOR_S * RATE)
        card.microphone.say(render(INTERRUPTION, "pt"))
        caller.until(lambda: len(caller.answers) == 2)
    assert_fades_out(card.loudspeaker.recording(), tap.connections[-1])


@pytest.fixture
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chromium")
    with chromium(write_microphone(folder / "silence.wav", [1.0]), folder / "profile") as address:
        yield address


@needs_clients
@needs_chromium
def test_in_chromium(devtools: str, tap: Tap) -> None:
    """The client drops what it has not played yet when the fade comes: that goes on from what was heard last."""
    overrides = {"agent": {"firstMessage": VOWEL}, "tts": {"voiceId": VOICE}}
    options: dict[str, Any] = {"agentId": "default", "origin": tap.ws_url, "connectionType": "websocket"}

    async def scenario() -> None:
        async with page_client(devtools, driven_microphone=True) as client:
            conversation_id = await client.call("startSession", {**options, "overrides": overrides})
            speaking = await client.until("onAudio")
            await client.page.until(f"audibleTime() > {speaking.audible + SPEAKS_FOR_S}")
            await client.say(render(INTERRUPTION, "pt"))
            heard = await client.until("onMessage", role="user", message=INTERRUPTION)
            await client.until("onMessage", since=heard.at, role="agent")
            recording = await client.recording()
        assert recording.rate == RATE
        assert_fades_out(recording.samples * FULL_SCALE, tap.conversation(conversation_id))

    asyncio.run(scenario())


def assert_fades_out(played: NDArray[Any], line: TappedConnection) -> None:
    """The first voice in it, of a steady sound, ends in one piece of 50 to 60 ms, which does not make it louder again
    and goes straight down to silence."""
    voice, fade = first_voice(played), np.trim_zeros(last_piece(line), "b")
    seconds = len(fade) / RATE
    assert 0.050 <= seconds <= 0.060, f"{1000 * seconds:.0f} ms"
    assert np.array_equal(np.rint(voice[-len(fade) :]), fade), "it was not played whole"
    levels, straight = envelope(voice[-len(fade) :]), np.arange(len(fade) // PERIOD - 0.5, 0, -1) * PERIOD / len(fade)
    begins_at = levels @ straight / (straight @ straight)  # least squares
    before = np.median(envelope(voice[: -len(fade)])[-5:])
    told = f"{before:.0f}, then within {1000 * seconds:.0f} ms {levels.round()}, on a line down from {begins_at:.0f}"
    assert np.all(levels[1:] < levels[:-1]), f"not monotone: {told}"
    assert np.all(np.abs(levels / begins_at - straight) < RIPPLE), f"not straight down: {told}"
    assert begins_at < LOUDER * before, f"louder than before: {told}"


def last_piece(line: TappedConnection) -> Samples:
    """The audio between the interruption and the next turn."""
    events = iter(message.event for message in line.server.messages)
    cut_off = takewhile(
        lambda event: event["type"] != "user_transcript",
        dropwhile(lambda event: event["type"] != "interruption", events),
    )
    [piece] = [event["audio_event"]["audio_base_64"] for event in cut_off if event["type"] == "audio"]
    return np.frombuffer(base64.b64decode(piece), np.int16)


def first_voice(samples: NDArray[Any]) -> NDArray[Any]:
    """Up to the sample after which there is digital silence for SILENT_FOR_S."""
    sounding = np.append(np.flatnonzero(samples), len(samples))
    [last, *_] = np.flatnonzero(np.diff(sounding) > SILENT_FOR_S * RATE)
    return samples[: sounding[last] + 1]


def envelope(samples: NDArray[Any]) -> NDArray[np.float64]:
    """RMS levels of its periods, up to the last sample."""
    periods = samples[len(samples) % PERIOD :].reshape(-1, PERIOD).astype(np.float64)
    levels: NDArray[np.float64] = np.sqrt(np.square(periods).mean(axis=1))
    return levels
