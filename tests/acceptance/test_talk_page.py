"""The talk page in a real browser against a running server: a microphone, a conversation, an interruption."""

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.javascript import write_microphone
from tests.acceptance.server import Server
from tests.web.browser import CHROMIUM, chromium, new_page

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent (apt-get install chromium)")

SCORE = [6.0, "ajuda", 4.0, "boa noite", 8.0]
"""Seconds of silence, and what is said: after the greeting a question with a long answer, then over that answer."""


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

    with chromium(write_microphone(tmp_path / "microphone.wav", SCORE), tmp_path / "profile") as devtools:
        asyncio.run(scenario(devtools))
