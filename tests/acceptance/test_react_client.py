"""The official React client, unmodified, in Chromium, into a private agent by a signed URL."""

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.acceptance.javascript import needs_chromium, needs_clients, page_client, write_microphone
from tests.acceptance.server import API_KEY
from tests.acceptance.sound import assert_played_whole
from tests.acceptance.tap import Tap
from tests.espeak import render
from tests.web.browser import Page, chromium

pytestmark = [needs_clients, needs_chromium]


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chromium")
    with chromium(write_microphone(folder / "microphone.wav", [1.0]), folder / "profile") as address:
        yield address


def signed_url(tap: Tap, agent_id: str) -> str:
    response = httpx.get(
        f"{tap.url}/v1/convai/conversation/get-signed-url",
        params={"agent_id": agent_id},
        headers={"xi-api-key": API_KEY},
    )
    url: str = response.raise_for_status().json()["signed_url"]
    assert url.startswith(f"{tap.ws_url}/v1/convai/conversation?")
    return url


async def until_shown(page: Page, text: str) -> None:
    await page.until(f"document.body.innerText.trim() === {json.dumps(text)}")


def test_a_conversation_through_a_signed_url(devtools: str, tap: Tap) -> None:
    """The hook's state follows the call, and what is said is understood and heard."""

    async def scenario() -> None:
        async with page_client(devtools, "react", driven_microphone=True) as client:
            page = client.page
            await until_shown(page, "disconnected listening")
            await client.call("startSession", {"signedUrl": signed_url(tap, "private")})
            connected = await client.until("onConnect")
            await until_shown(page, "connected speaking")
            await client.until_answered()
            await until_shown(page, "connected listening")

            await client.say(render("bom dia", "pt"))
            asked = await client.until("onMessage", role="user", message="bom dia")
            await client.until("onMessage", role="agent", message="Bom dia!")
            await client.until_answered(asked.at)
            recording = await client.recording()
            await client.call("endSession")
            await client.until("onDisconnect", reason="user")
            await until_shown(page, "disconnected listening")
            assert_played_whole(recording, tap.conversation(connected.value["conversationId"]))

    asyncio.run(scenario())


def test_a_forged_signature_is_an_error_to_the_hook(devtools: str, tap: Tap) -> None:
    async def scenario() -> None:
        async with page_client(devtools, "react", driven_microphone=True) as client:
            await client.call("startSession", {"signedUrl": f"{signed_url(tap, 'private')}x"})
            failed = await client.until("onError")
            assert failed.values[1]["closeCode"] == 1008
            assert "signature" in failed.value
            await until_shown(client.page, f"error listening {failed.value}")

    asyncio.run(scenario())
