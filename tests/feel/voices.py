"""The agent's voices: one that is steady, so that every duck shows, and one that speaks, so that its echo is speech."""

import asyncio
from collections.abc import AsyncGenerator
from functools import cache

import numpy as np

from serve_app.audio.framing import RATE
from serve_app.audio.pcm import FULL_SCALE, AudioFormat, Samples
from serve_app.conversation.playback import CHARS_PER_SECOND, SpeechChunk
from tests.espeak import render
from tests.fakes.elevenlabs_server import FakeElevenLabs
from tests.fakes.elevenlabs_speech import Context, Received
from tests.feel.agents import SPOKEN
from tests.feel.script import VOICES

STEADY_HZ = 200
LOUDNESS = 8_000
"""Amplitude of the steady voice."""
CHUNK_S = 0.200


class FeelVoices(FakeElevenLabs):
    """ElevenLabs with these voices. They give no alignment."""

    async def spoken(self, received: Received, context: Context, text: str) -> AsyncGenerator[SpeechChunk, None]:
        await asyncio.sleep(self.delay_s)
        audio_format = AudioFormat.parse(received.query["output_format"])
        language = received.query.get("language_code", "en")
        for audio in await asyncio.to_thread(speech, text, language, received.voice_id, audio_format):
            context.sent += audio
            yield SpeechChunk(audio)


@cache
def speech(text: str, language: str, voice_id: str, audio_format: AudioFormat) -> list[bytes]:
    """The text as a voice speaks it, in chunks of at most CHUNK_S."""
    samples = _spoken(text, language) if voice_id == SPOKEN else _hummed(text)
    if audio_format.rate != RATE:
        samples = np.ascontiguousarray(samples[:: RATE // audio_format.rate])
    step = round(CHUNK_S * audio_format.rate)
    return [audio_format.encode(samples[i : i + step]) for i in range(0, len(samples), step)]


def level(audio: bytes, audio_format: AudioFormat) -> float:
    """RMS of the last quarter, in which a duck that began with this audio has come down; 1.0 is full scale."""
    samples = audio_format.decode(audio)
    ending = samples[-max(1, len(samples) // 4) :].astype(float)
    return float(np.sqrt(np.mean(np.square(ending)))) / FULL_SCALE


def _spoken(text: str, language: str) -> Samples:
    return render(text, language, VOICES[language].rate, VOICES[language].name)


def _hummed(text: str) -> Samples:
    """A period of STEADY_HZ fits a quarter of a chunk of 20 ms: any stretch that is measured is as loud as another."""
    at = np.arange(round(len(text) / CHARS_PER_SECOND * RATE)) / RATE
    return np.asarray(LOUDNESS * np.sin(2 * np.pi * STEADY_HZ * at), np.int16)
