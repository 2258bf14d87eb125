"""The talk page when its line breaks, in a real browser."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import numpy as np
import pytest

from serve_app.audio.pcm import AudioFormat
from tests.fakes.resuming_server import ResumingServer
from tests.web.browser import CHROMIUM, Page, new_page

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent (apt-get install chromium)")

WEB = Path(__file__).parents[2] / "serve_app" / "web"
CHUNK = 1280  # bytes, 40 ms
HURRY = """{
    const [later, now] = [setTimeout.bind(window), performance.now.bind(performance)];
    window.setTimeout = (work, milliseconds) => later(work, milliseconds / 100);
    performance.now = () => 100 * now();
}"""
"""The page's clock, from now on."""


def tone(seconds: float) -> bytes:
    time = np.arange(round(seconds * 16_000)) / 16_000
    return AudioFormat("pcm", 16_000).encode((9000 * np.sin(2 * np.pi * 450 * time)).astype(np.int16))


async def play(server: ResumingServer, audio: bytes) -> None:
    for start in range(0, len(audio), CHUNK):
        await server.play(audio[start : start + CHUNK])


@asynccontextmanager
async def call(devtools: str, language: str = "pt-BR") -> AsyncIterator[tuple[ResumingServer, Page]]:
    """The page in a conversation. What is refused on its way back is a network error, which browsers report."""
    async with ResumingServer(web=WEB) as server, new_page(devtools, f"{server.url}/", language) as page:
        await page.click("#toggle")
        await page.until("talk.state === 'listening'")
        yield server, page
        assert page.complaints == []


def run(devtools: str, score: Callable[[ResumingServer, Page], Awaitable[None]], **options: str) -> None:
    async def perform() -> None:
        async with call(devtools, **options) as (server, page):
            await score(server, page)

    asyncio.run(perform())


def test_the_conversation_goes_on_where_it_was(devtools: str) -> None:
    """Cut in mid-sentence, of both: what is queued plays on, what was lost comes, nothing is heard twice."""

    async def score(server: ResumingServer, page: Page) -> None:
        await server.say("agent_response", agent_response="Era uma vez um rei.")
        await play(server, tone(2.4))
        await page.until("talk.state === 'speaking' && talk.heard.queued > 1")
        server.refuses = HTTPStatus.SERVICE_UNAVAILABLE
        server.cut()
        await page.until("/^\\(\\d+\\)$/.test(document.getElementById('detail').innerText) && talk.heard.level > 0.1")
        assert await page.evaluate("talk.state") == "reconnecting"
        await page.until("document.getElementById('detail').innerText >= '(3)'")
        assert re.fullmatch(r"Reconectando… \(\d\)", await page.text("#status"))
        await play(server, tone(0.8))
        server.refuses = None
        await page.until("talk.state === 'back'")
        assert re.fullmatch(r"De volta após \d,\d s", await page.text("#status"))
        await page.until("talk.heard.queued === 0 && talk.heard.level < 0.001")
        assert await page.evaluate("talk.heard.played") == pytest.approx(3.2, abs=0.02)

        said = await page.evaluate("[...document.querySelectorAll('#transcript li p')].map((p) => p.innerText)")
        assert said == ["Era uma vez um rei."]
        said_s = await page.evaluate("talk.said")
        await server.until(lambda: server.audio.seconds(len(server.heard)) >= said_s)
        heard_s = server.audio.seconds(len(server.heard))
        assert heard_s <= await page.evaluate("talk.said"), "sent twice"
        await page.until("talk.state === 'listening'")
        assert await page.text("#status") == "Ouvindo"
        assert int(server.queries[-1]["last_event_id"]) == 61

    run(devtools, score)


def test_what_is_typed_while_away_arrives(devtools: str) -> None:
    async def score(server: ResumingServer, page: Page) -> None:
        server.refuses = HTTPStatus.SERVICE_UNAVAILABLE
        server.cut()
        await page.until("talk.state === 'reconnecting'")
        await page.evaluate("document.getElementById('text').value = 'bom dia'")
        await page.click("#send")
        server.refuses = None
        await server.until(lambda: len(server.received) > 1)
        assert server.received[1:] == [{"type": "user_message", "text": "bom dia"}], "after its opening"
        assert len(server.queries) == 2, "over another connection"

    run(devtools, score)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (4001, "taken over", "The conversation goes on over another connection.\n4001: taken over"),
        (1008, "over", "The server refused the conversation. Fix the reason below and try again.\n1008: over"),
    ],
)
def test_the_servers_last_word(devtools: str, code: int, reason: str, words: str) -> None:
    async def score(server: ResumingServer, page: Page) -> None:
        await server.close(code, reason)
        await page.until("talk.state === 'idle'")
        assert await page.text("#problem") == words
        assert len(server.queries) == 1

    run(devtools, score, language="en-US")


def test_hanging_up_while_away(devtools: str) -> None:
    async def score(server: ResumingServer, page: Page) -> None:
        server.refuses = HTTPStatus.SERVICE_UNAVAILABLE
        server.cut()
        await page.until("talk.state === 'reconnecting'")
        await page.click("#toggle")
        assert await page.evaluate("talk.state") == "idle"
        server.refuses = None
        await asyncio.sleep(0.3)  # longer than its next wait
        assert len(server.queries) == 1
        assert await page.evaluate("document.getElementById('problem').hidden")

    run(devtools, score)


def test_a_line_over_which_nothing_comes_is_left(devtools: str) -> None:
    async def score(server: ResumingServer, page: Page) -> None:
        await page.evaluate(HURRY)
        await server.say("agent_response", agent_response="Um momento.")
        await page.until("talk.state === 'back'")
        assert server.queries[1]["resume_token"] == "token-1", "and soon the next, whose silence is as long"

    run(devtools, score)


def test_after_a_minute_it_gives_up(devtools: str) -> None:
    async def score(server: ResumingServer, page: Page) -> None:
        await page.evaluate(HURRY)
        server.refuses = HTTPStatus.SERVICE_UNAVAILABLE
        server.cut()
        await page.until("talk.state === 'reconnecting'")
        await page.until("talk.state === 'idle'")
        assert "The connection to the server was lost." in await page.text("#problem")

    run(devtools, score, language="en-US")


def test_what_was_said_is_kept_for_ten_seconds(devtools: str) -> None:
    async def score(server: ResumingServer, page: Page) -> None:
        lacking = await page.evaluate("""(async () => {
            const { KeptAudio } = await import("/web/kept-audio.js");
            const kept = new KeptAudio(1000);
            const counted = (from, length) => Float32Array.from({ length }, (_, i) => from + i);
            const lacking = (receivedMs) => kept.after(receivedMs).map((m) => [m[0], m.length]);
            kept.push(counted(0, 600));
            const results = [lacking(250), lacking(600), lacking(9000)];
            for (let from = 600; from < 12600; from += 600) kept.push(counted(from, 600));
            return [...results, lacking(12300), lacking(600).length, kept.after(600)[0][0], kept.seconds];
        })()""")
        assert lacking[:4] == [[[250, 250], [500, 100]], [], [], [[12300, 250], [12550, 50]]]
        assert lacking[4:6] == [41, 2400]  # the last 17 pieces
        assert lacking[6] == pytest.approx(0.6 + 10.2)  # for a server that has heard 0.6 s

    run(devtools, score)
