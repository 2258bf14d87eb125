"""The talk page in a real browser, against a scripted agent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from serve_app.audio.pcm import AudioFormat, Samples, level_db
from tests.fakes.agent_server import AgentServer, HangUp, Line
from tests.web.browser import CHROMIUM, Page, new_page

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent (apt-get install chromium)")

WEB = Path(__file__).parents[2] / "serve_app" / "web"
METRICS = {
    "convai_turn_silence_before_initiation": 0.3,
    "convai_llm_service_ttfb": 0.06,
    "convai_ttf_audio_since_silence": 0.3521,
}
GREETING = Line("", "Olá! Em que posso ajudar?", seconds=0.4)
STORY = Line("conte uma história", "Era uma vez um rei que tinha três filhas.", seconds=4.0, metrics=METRICS)
GOODBYE = Line("obrigado", "De nada. Até logo!", seconds=0.4)

LAST_ITEM = "#transcript li:last-child"


@asynccontextmanager
async def visit(devtools: str, server: AgentServer, query: str = "", **options: str) -> AsyncIterator[Page]:
    server.web = WEB
    async with server, new_page(devtools, server.url.replace("ws:", "http:") + "/" + query, **options) as page:
        yield page
        assert page.complaints == []


def test_conversation(devtools: str) -> None:
    """Both sides' words show, the answer is heard, and its time is drawn."""

    async def scenario() -> None:
        server = AgentServer([GOODBYE._replace(metrics=METRICS)], greeting=GREETING)
        async with visit(devtools, server) as page:
            assert await page.text("#toggle") == "Falar"
            await page.click("#toggle")
            await page.until(f"document.querySelector('{LAST_ITEM}')?.innerText.includes('De nada.')")
            await page.until("talk.state === 'speaking' && talk.heard.level > 0.1")
            await page.until("document.querySelector('.timing')")
            await page.until("talk.state === 'listening' && talk.heard.queued === 0")

            said = await page.evaluate("[...document.querySelectorAll('#transcript li p')].map((p) => p.innerText)")
            assert said == [GREETING.answer, GOODBYE.heard, GOODBYE.answer]
            assert await page.evaluate("talk.heard.played") == pytest.approx(0.8, abs=0.02)
            assert await page.text(".timing summary") == "Resposta 352 ms · as etapas se sobrepõem"
            rows = await page.evaluate("[...document.querySelectorAll('.timing dl > div')].map((row) => row.innerText)")
            assert rows == ["Silêncio esperado\n300 ms", "Modelo, 1ª palavra\n60 ms", "Da fala ao som\n352 ms"]
            widths = await page.evaluate("[...document.querySelectorAll('.timing i')].map((bar) => bar.offsetWidth)")
            assert np.divide(widths, widths[-1]) == pytest.approx([0.3 / 0.3521, 0.06 / 0.3521, 1], abs=0.02)

            await page.click("#toggle")
            assert await page.evaluate("talk.state") == "idle"
            assert await page.evaluate("document.getElementById('problem').hidden")
        assert server.kinds_received() == ["conversation_initiation_client_data", "pong"]
        assert level_db(server.audio_received()[16000:21000]) > -30  # the caller's voice, in the format asked for

    asyncio.run(scenario())


def test_interruption_is_heard_and_shown(devtools: str) -> None:
    """A second of the answer was already sent when it is interrupted, and a stale chunk of it still comes."""

    async def scenario() -> None:
        server = AgentServer([STORY, GOODBYE], greeting=GREETING, lead_seconds=1.0)
        async with visit(devtools, server) as page:
            await page.click("#toggle")
            await page.until("talk.state === 'speaking' && talk.heard.queued > 0.8")
            await page.until("talk.interruptions === 1")
            at_interruption = await page.evaluate("talk.heard.played")
            await page.until("document.querySelector('del')")
            await page.until("talk.heard.queued === 0 && talk.heard.level < 0.001", seconds=1.0)
            # the ramp and the fade, and what the last report before the interruption had not counted
            assert await page.evaluate("talk.heard.played") - at_interruption < 0.01 + 0.06 + 0.08

            interrupted = "#transcript li.interrupted"
            assert "interrompido" in await page.text(f"{interrupted} header")
            assert await page.evaluate("document.querySelector('del').innerText") == STORY.answer[20:]
            heard = await page.evaluate(f"document.querySelector('{interrupted} p').firstChild.data")
            assert heard == STORY.answer[:20]

            await page.until(f"document.querySelector('{LAST_ITEM}').innerText.includes('De nada.')")
            await page.until("talk.heard.level > 0.1")  # the next answer is heard again

    asyncio.run(scenario())


@pytest.mark.parametrize("repeats_typed", [False, True])
def test_typed_message_is_shown_once_and_answered(devtools: str, repeats_typed: bool) -> None:
    async def scenario() -> None:
        server = AgentServer([GOODBYE], repeats_typed=repeats_typed)
        async with visit(devtools, server) as page:
            await page.click("#toggle")
            await page.until("!document.getElementById('text').disabled")
            await page.evaluate("document.getElementById('text').value = '  muito obrigado '")
            await page.click("#send")
            await page.until(f"document.querySelector('{LAST_ITEM}')?.innerText.includes('De nada.')")
            said = await page.evaluate("[...document.querySelectorAll('#transcript li p')].map((p) => p.innerText)")
            assert said == ["muito obrigado", GOODBYE.answer]
        assert {"type": "user_message", "text": "muito obrigado"} in server.received

    asyncio.run(scenario())


@pytest.mark.parametrize("audio_format", ["ulaw_8000", "pcm_44100"])
def test_formats_of_the_protocol(devtools: str, audio_format: str) -> None:
    async def scenario() -> None:
        server = AgentServer([GOODBYE], greeting=GREETING, input_format=audio_format, output_format=audio_format)
        async with visit(devtools, server) as page:
            await page.click("#toggle")
            await page.until("document.querySelectorAll('#transcript li').length === 3")  # so it was understood
            await page.until("talk.heard.played > 0.79")
            await page.until("talk.heard.queued === 0")
            assert await page.evaluate("talk.heard.played") == pytest.approx(0.8, abs=0.02)

    asyncio.run(scenario())


def test_hang_up_shows_code_reason_and_what_to_do(devtools: str) -> None:
    async def scenario() -> None:
        server = AgentServer(hang_up=HangUp(1008, "agent is not public"))
        async with visit(devtools, server, language="en-US") as page:
            await page.click("#toggle")
            await page.until("!document.getElementById('problem').hidden")
            problem = await page.text("#problem")
            assert problem == (
                "The server refused the conversation. Fix the reason below and try again.\n1008: agent is not public"
            )
            assert await page.evaluate("talk.state") == "idle"

    asyncio.run(scenario())


def test_server_away(devtools: str) -> None:
    async def scenario() -> None:
        server = AgentServer()
        async with visit(devtools, server) as page:
            await server.stop()
            await page.click("#toggle")
            await page.until("!document.getElementById('problem').hidden")
            assert "make run" in await page.text("#problem")
            page.complaints.clear()  # the browser's own line about the refused connection

    asyncio.run(scenario())


def test_server_goes_away_during_the_call(devtools: str) -> None:
    async def scenario() -> None:
        server = AgentServer(greeting=GREETING)
        async with visit(devtools, server) as page:
            await page.click("#toggle")
            await page.until("talk.state === 'speaking'")
            await server.stop()
            await page.until("!document.getElementById('problem').hidden")
            assert (await page.text("#problem")).startswith("A conexão com o servidor caiu.")
            assert GREETING.answer in await page.text("#transcript")  # what was said stays

    asyncio.run(scenario())


def test_microphone_refused(devtools: str) -> None:
    async def scenario() -> None:
        server = AgentServer([GOODBYE])
        async with visit(devtools, server, microphone="denied") as page:
            await page.click("#toggle")
            await page.until("!document.getElementById('problem').hidden")
            assert "O microfone foi recusado." in await page.text("#problem")
            assert await page.text("#toggle") == "Falar"
        assert server.received == []  # nobody was called

    asyncio.run(scenario())


def test_language_switch_reaches_what_is_already_said(devtools: str) -> None:
    async def scenario() -> None:
        async with visit(devtools, AgentServer(greeting=GREETING)) as page:
            await page.click("#toggle")
            await page.until("document.querySelector('#transcript li')")
            assert "Agente" in await page.text(LAST_ITEM)
            await page.click("#language")
            assert await page.evaluate("document.documentElement.lang") == "en"
            assert "Agent\n" in await page.text(LAST_ITEM)
            assert await page.text("#toggle") == "Hang up"

    asyncio.run(scenario())


def test_agent_of_the_address(devtools: str) -> None:
    async def scenario() -> None:
        server = AgentServer(greeting=GREETING)
        async with visit(devtools, server, "?agent_id=caf%C3%A9%26bar") as page:
            await page.click("#toggle")
            await page.until("document.querySelector('#transcript li')")
        assert server.agent_ids == ["café&bar"]

    asyncio.run(scenario())


@pytest.mark.parametrize(("device", "wire"), [(48000, 16000), (44100, 16000), (48000, 8000), (16000, 48000)])
def test_resampler(devtools: str, device: int, wire: int) -> None:
    """A second in 128-frame pieces, as a worklet gets it: speech passes whole, what would alias does not."""

    async def scenario() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        async with visit(devtools, AgentServer()) as page:
            return await resample(page, device, wire, 1000.0), await resample(page, device, wire, 0.7 * wire)

    tone, above_nyquist = asyncio.run(scenario())
    assert len(tone) == pytest.approx(wire, abs=0.01 * wire)
    assert decibels(tone) == pytest.approx(decibels(np.sqrt(0.5) * np.ones(1)), abs=0.1)
    if wire < device:
        assert decibels(above_nyquist) < -65


async def resample(page: Page, device: int, wire: int, hertz: float) -> NDArray[np.float64]:
    samples = await page.evaluate(f"""(async () => {{
        const {{ Resampler }} = await import("/web/resampler.js");
        const resampler = new Resampler({device}, {wire});
        const output = [];
        for (let start = 0; start < {device}; start += 128) {{
          const piece = Float32Array.from({{ length: 128 }}, (_, i) =>
            Math.sin(2 * Math.PI * {hertz} * (start + i) / {device}));
          output.push(...resampler.push(piece));
        }}
        return output;
    }})()""")
    return np.array(samples)


def decibels(samples: NDArray[np.float64]) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4] if len(samples) > 1 else samples
    return float(10 * np.log10(np.mean(middle**2)))


def test_audio_formats_agree_with_the_server(devtools: str) -> None:
    """Every code of mu-law, and samples over the whole range, there and back."""
    samples = np.arange(-32767, 32768, 37, dtype=np.int16)

    async def scenario() -> dict[str, Samples]:
        async with visit(devtools, AgentServer()) as page:
            return {name: await encode_in_page(page, name, samples) for name in ("pcm_16000", "ulaw_8000")}

    for name, returned in asyncio.run(scenario()).items():
        audio = AudioFormat.parse(name)
        assert np.array_equal(returned, audio.decode(audio.encode(samples)))


async def encode_in_page(page: Page, name: str, samples: Samples) -> Samples:
    returned = await page.evaluate(f"""(async () => {{
        const {{ audioFormat }} = await import("/web/audio-format.js");
        const format = audioFormat("{name}");
        const samples = Float32Array.from({samples.tolist()}, (sample) => sample / 32767);
        return Array.from(format.decode(format.encode(samples)), (sample) => Math.round(sample * 32768));
    }})()""")
    return np.array(returned, np.int16)
