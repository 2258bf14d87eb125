"""A sound card for the official Python client's own audio interface, which wants PyAudio: at its pace, recorded."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from elevenlabs.conversational_ai.default_audio_interface import DefaultAudioInterface

from serve_app.audio.pcm import Samples
from tests.acceptance.caller import LUMP, RATE, Microphone

BUFFERED_S = DefaultAudioInterface.OUTPUT_FRAMES_PER_BUFFER / RATE


class SoundCard(DefaultAudioInterface):
    """The SDK's interface, unmodified but for the card: what it keeps, plays and drops is its own doing."""

    def __init__(self) -> None:
        self.pyaudio = SimpleNamespace(paInt16=8, paContinue=0, PyAudio=lambda: self)
        self.microphone = Microphone()
        self.loudspeaker = Loudspeaker()

    # ---- PyAudio's

    def open(self, *, stream_callback: Callable[..., Any] | None = None, **_: Any) -> "MicrophoneStream | Loudspeaker":
        """16 kHz, 16 bits, mono: nothing else is asked for."""
        return MicrophoneStream(self.microphone, stream_callback) if stream_callback else self.loudspeaker

    def terminate(self) -> None:
        """There is nothing to be let go."""


class MicrophoneStream:
    """An open stream from the microphone."""

    def __init__(self, microphone: Microphone, callback: Callable[..., Any]) -> None:
        self._microphone = microphone
        microphone.start(lambda lump: callback(lump, LUMP, {}, 0))

    def stop_stream(self) -> None:
        self._microphone.stop()

    def close(self) -> None:
        """It has been stopped."""


class Loudspeaker:
    """Plays 16 kHz samples as they are written, one after the other; where they come too late, silence."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._played: list[Samples] = []
        self._plays_until = clock()

    def write(self, audio: bytes) -> None:
        """As PyAudio: returns when no more than BUFFERED_S is left to be played."""
        samples = np.frombuffer(audio, np.int16)
        self._played += [self._silence(), samples]
        self._plays_until = max(self._plays_until, self._clock()) + len(samples) / RATE
        self._sleep(max(0.0, self._plays_until - self._clock() - BUFFERED_S))

    def recording(self) -> Samples:
        """All that has been played until now, and what is about to be."""
        return np.concatenate([*self._played, self._silence()])

    def close(self) -> None:
        """What is left is played."""

    def _silence(self) -> Samples:
        """Since the last sample that there was to play."""
        return np.zeros(max(0, round((self._clock() - self._plays_until) * RATE)), np.int16)
