"""The talk page in a real browser, against a scripted agent."""

import asyncio
import wave
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from serve_app.audio.pcm import AudioFormat
from tests.fakes.agent_server import AgentServer, HangUp, Line
from tests.web.browser import CHROMIUM, Page, chromium, new_page

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent (apt-get install chromium)")

WEB = Path(__file__).parents[2] / "serve_app" / "web"
MICROPHONE_RATE = 48000
GREETING = Line("", "Olá! Em que posso ajudar?", seconds=0.6)
METRICS = {
    "convai_turn_silence_before_initiation": 0.3,
    "convai_asr_trailing_service_latency": 0.081,
    "convai_llm_service_ttfb": 0.06,
    "convai_llm_service_ttf_sentence": 0.14,
    "convai_tts_service_ttfb": 0.052,
    "convai_ttf_audio_since_silence": 0.3521,
}
STORY = Line("conte uma história", "Era uma vez um rei que tinha três filhas.", seconds=4.0, metrics=METRICS)
LAST = Line("obrigado", "De nada. Até logo!", seconds=0.6, metrics={"convai_ttf_audio_since_silence": 0.41})

type Visit = Callable[[Page, AgentServer], Awaitable[None]]


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chromium")
    with chromium(write_microphone(folder / "microphone.wav"), folder / "profile") as address:
        yield address
