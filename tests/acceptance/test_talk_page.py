"""The talk page in a real browser against a running server: a microphone, a conversation, an interruption."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.acceptance.server import Server
from tests.espeak import RATE, render
from tests.web.browser import CHROMIUM, chromium, new_page

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent (apt-get install chromium)")

MICROPHONE_RATE = 48_000
SCORE = [6.0, "ajuda", 4.0, "boa noite", 8.0]
"""Seconds of silence, and what is said: after the greeting a question with a long answer, then over that answer."""


def write_microphone(path: Path) -> Path:
    pieces = [
        np.zeros(round(part * RATE), np.int16) if isinstance(part, float) else render(part, "pt") for part in SCORE
    ]
    samples = soxr.resample(np.concatenate(pieces), RATE, MICROPHONE_RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, MICROPHONE_RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


def test_a_conversation_through_the_page(server: Server, tmp_path: Path) -> None:
    async def scenario(devtools: str) -> None:
        async with new_page(devtools, f"{server.url}/") as page:
            await page.click("#toggle")
            await page.until("talk.state === 'speaking' && talk.heard.level > 0.1")
            await page.until("document.getElementById('transcript').innerText.includes('ajuda')", seconds=15)
            await page.until("talk.interruptions === 1", seconds=15)
            await page.until("document.querySelector('del')")
            await page.until("document.getElementById('transcript').innerText.includes('Boa noite!')")
            said = await page.evaluate("[...document.querySelectorAll('#transcript li p')].map((p) => p.innerText)")
            assert [said[1], said[3], said[4]] == ["ajuda", "boa noite", "Boa noite!"]
            totals = await page.evaluate("[...document.querySelectorAll('.timing summary')].map((s) => s.innerText)")
            assert len(totals) == 3
            assert all(" ms" in total for total in totals[1:])  # a greeting answers nobody: it has no total
            assert page.complaints == []

    with chromium(write_microphone(tmp_path / "microphone.wav"), tmp_path / "profile") as devtools:
        asyncio.run(scenario(devtools))
