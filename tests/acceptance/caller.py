"""A caller for the official Python SDK: an AudioInterface whose microphone is a score of spoken clips, in real time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from elevenlabs import ElevenLabs
from elevenlabs.conversational_ai.conversation import (
    AudioEventAlignment,
    AudioInterface,
    Conversation,
    DisconnectionDetails,
)
from numpy.typing import NDArray

from tests.acceptance.server import API_KEY

RATE = 16_000
LUMP = 4_000  # samples: what the SDK's own microphone delivers at once
ROOM_NOISE = 8.0  # standard deviation of the samples: about -72 dB of full scale
AUDIBLE = 300


class Microphone(AudioInterface):
    """Sends lumps of 250 ms on an absolute schedule: room noise, or what `say` was given last."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []  # (when, audio), from the agent
        self.interrupted_at: list[float] = []
        self.spoke_until = 0.0
        self._pending: NDArray[np.int16] = np.empty(0, np.int16)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._noise = np.random.default_rng(7)

    def start(self, input_callback: Callable[[bytes], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(input_callback,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if threading.current_thread() is not self._thread:  # the SDK stops us from here when its socket is closed
            self._thread.join(5)

    def output(self, audio: bytes) -> None:
        self.heard.append((time.monotonic(), audio))

    def interrupt(self) -> None:
        self.interrupted_at.append(time.monotonic())

    def say(self, samples: NDArray[np.int16]) -> None:
        with self._lock:
            self._pending = samples

    def agent_samples(self, since: float, until: float = float("inf")) -> NDArray[np.int16]:
        return np.frombuffer(b"".join(audio for at, audio in list(self.heard) if since <= at < until), np.int16)

    def voiced_since(self, moment: float) -> bool:
        samples = self.agent_samples(moment)
        return len(samples) > 0 and int(np.abs(samples.astype(np.int32)).max()) > AUDIBLE

    def _run(self, send: Callable[[bytes], None]) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            due += LUMP / RATE
            self._stopped.wait(max(0.0, due - time.monotonic()))
            send(self._next_lump().tobytes())

    def _next_lump(self) -> NDArray[np.int16]:
        lump: NDArray[np.int16] = self._noise.normal(0, ROOM_NOISE, LUMP).astype(np.int16)
        with self._lock:
            speech, self._pending = self._pending[:LUMP], self._pending[LUMP:]
        if len(speech):
            lump[: len(speech)] += speech
            self.spoke_until = time.monotonic() - (LUMP - len(speech)) / RATE
        return lump


@dataclass
class Caller:
    """One call through the SDK, unmodified; what its callbacks were told is kept in order. `options` are more of the
    Conversation's own."""

    url: str
    agent_id: str = "default"
    options: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    corrections: list[tuple[str, str]] = field(default_factory=list)
    parts: list[tuple[str, str]] = field(default_factory=list)  # (type, text)
    alignments: list[AudioEventAlignment] = field(default_factory=list)
    pings_ms: list[int] = field(default_factory=list)
    disconnected: list[DisconnectionDetails] = field(default_factory=list)

    def __enter__(self) -> "Caller":
        self.microphone = Microphone()
        self._http = httpx.Client()
        self.client = ElevenLabs(base_url=self.url, api_key=API_KEY, httpx_client=self._http)
        self.conversation = Conversation(
            client=self.client,
            agent_id=self.agent_id,
            **{"requires_auth": False, "audio_interface": self.microphone, **self.options},
            callback_user_transcript=self.said.append,
            callback_agent_response=self.answers.append,
            callback_agent_response_correction=lambda original, corrected: self.corrections.append(
                (original, corrected)
            ),
            callback_agent_chat_response_part=lambda text, kind: self.parts.append((kind.value, text)),
            callback_audio_alignment=self.alignments.append,
            callback_latency_measurement=self.pings_ms.append,
            callback_disconnect=self.disconnected.append,
        )
        self.conversation.start_session()
        return self

    def __exit__(self, *_: object) -> None:
        self.conversation.end_session()
        self._http.close()

    def hang_up(self) -> str:
        """End the call; its id."""
        self.conversation.end_session()
        conversation_id = self.conversation.wait_for_session_end()
        assert conversation_id
        return conversation_id

    def until(self, what: Callable[[], bool], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, f"did not happen within {seconds} s: {self}"
            time.sleep(0.02)

    def until_answered(self, since: float = 0.0, quiet: float = 1.0) -> None:
        """Until the agent has made a sound since that moment, and then none for `quiet` seconds."""
        heard = self.microphone.heard
        self.until(lambda: bool(heard) and heard[-1][0] > since, 20)
        self.until(lambda: time.monotonic() - heard[-1][0] > quiet, 60)
