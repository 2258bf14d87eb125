"""Official clients over wss, through the shipped nginx.conf; what a certificate that is not right tells their users."""

import asyncio
import json
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from elevenlabs.conversational_ai.conversation import ConversationInitiationData
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from serve_app.client import Conversation, ConversationOver
from serve_app.conversation.server_messages import AgentResponse
from tests.acceptance.caller import Caller
from tests.acceptance.javascript import NODE, ClientError, needs_clients, node_client
from tests.acceptance.server import Server
from tests.espeak import render
from tests.loadbalancer.certificates import DAY, Authority, Certificate
from tests.loadbalancer.front_end import FrontEnd, needs_nginx, nginx

pytestmark = needs_nginx
TEXT = {"conversation_config_override": {"conversation": {"text_only": True}}}
CALL = "/v1/convai/conversation?agent_id=default"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="hello-authority-") as folder:
        yield Authority(Path(folder))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """By all clients of this process, and by node."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(authority.path))


@pytest.fixture(scope="module")
def front_end(server: Server, authority: Authority) -> Iterator[FrontEnd]:
    with in_front_of(server, authority.issue()) as front_end:
        yield front_end


def in_front_of(server: Server, certificate: Certificate) -> AbstractContextManager[FrontEnd]:
    port = urlsplit(server.url).port
    assert port
    return nginx(certificate, [port, port])


@pytest.mark.usefixtures("trusted")
def test_the_python_client_speaks(front_end: FrontEnd) -> None:
    with Caller(front_end.url, "tools") as caller:
        caller.until_answered()
        caller.microphone.say(render("bom dia", "pt"))
        caller.until(lambda: caller.said == ["bom dia"])
        asked = caller.microphone.spoke_until
        caller.until(lambda: caller.microphone.voiced_since(asked))
        assert caller.answers[-1] == "Você disse bom dia."


@pytest.mark.usefixtures("trusted")
def test_a_signed_url_leads_back_here(front_end: FrontEnd) -> None:
    """The server knows from what is in front of it that it is called by wss, and at which port."""
    text = ConversationInitiationData(conversation_config_override={"text_only": True})
    with Caller(front_end.url, "tools", {"requires_auth": True, "audio_interface": None, "config": text}) as caller:
        signed = caller.client.conversational_ai.conversations.get_signed_url(agent_id="tools").signed_url
        assert signed.startswith(f"{front_end.ws_url}/v1/convai/conversation?")
        caller.until(lambda: bool(caller.answers))
        caller.conversation.send_user_message("bom dia")
        caller.until(lambda: len(caller.answers) == 2)


@needs_clients
@pytest.mark.usefixtures("trusted")
def test_the_javascript_client_types(front_end: FrontEnd) -> None:
    async def scenario() -> None:
        async with node_client() as client:
            await client.call("startSession", text_session(front_end, "tools"))
            await client.call("sendUserMessage", "bom dia")
            await client.until("onMessage", role="agent", message="Você disse bom dia.")
            await client.call("endSession")
            assert (await client.until("onDisconnect")).value == {"reason": "user"}

    asyncio.run(scenario())


@pytest.mark.usefixtures("trusted")
def test_our_own_client_types(front_end: FrontEnd) -> None:
    async def scenario() -> None:
        async with Conversation.connect(front_end.url, agent_id="tools", initiation=TEXT) as conversation:
            await conversation.send_text("bom dia")
            async for event in conversation:
                if isinstance(event, AgentResponse) and event.agent_response == "Você disse bom dia.":
                    return
            raise AssertionError("it was over without an answer")

    asyncio.run(scenario())


def text_session(front_end: FrontEnd, agent_id: str = "default") -> dict[str, Any]:
    return {"agentId": agent_id, "origin": front_end.ws_url, "connectionType": "websocket", "textOnly": True}


def test_no_client_can_have_its_call_cut(server: Server, front_end: FrontEnd, authority: Authority) -> None:
    """Without nginx it can: Serve obeys this header."""

    async def lasts(url: str, trust: ssl.SSLContext | None) -> bool:
        headers = {"x-request-timeout-seconds": "1"}
        async with connect(f"{url}{CALL}", ssl=trust, additional_headers=headers, proxy=None) as call:
            await call.send(json.dumps({"type": "conversation_initiation_client_data"}))
            try:
                async with asyncio.timeout(1.5):
                    while True:
                        await call.recv()
            except TimeoutError:
                return True
            except ConnectionClosed:
                return False

    async def scenario() -> list[bool]:
        calls = lasts(front_end.ws_url, authority.trust()), lasts(server.ws_url, None)
        return list(await asyncio.gather(*calls))

    assert asyncio.run(scenario()) == [True, False]


WRONG = {
    "of an unknown authority": ("localhost", DAY, "self-signed certificate", "SELF_SIGNED_CERT_IN_CHAIN"),
    "of another name": ("other.example.com", DAY, "Hostname mismatch", "ERR_TLS_CERT_ALTNAME_INVALID"),
    "that has expired": ("localhost", -DAY, "certificate has expired", "CERT_HAS_EXPIRED"),
}


@pytest.mark.parametrize(("host", "ends", "reason", "node_reason"), WRONG.values(), ids=WRONG)
def test_users_are_told_what_is_wrong_with_a_certificate(
    request: pytest.FixtureRequest,
    server: Server,
    authority: Authority,
    host: str,
    ends: timedelta,
    reason: str,
    node_reason: str,
) -> None:
    if "unknown" not in request.node.name:
        request.getfixturevalue("trusted")

    async def ours(front_end: FrontEnd) -> None:
        async with Conversation.connect(front_end.url, agent_id="default"):
            raise AssertionError("it was taken")

    with in_front_of(server, authority.issue(host, ends=ends)) as front_end:
        with pytest.raises(ConversationOver, match=reason) as over:
            asyncio.run(ours(front_end))
        assert over.value.code == 1006
        with Caller(front_end.url) as caller:
            caller.until(lambda: bool(caller.disconnected))
            assert reason in (caller.disconnected[0].message or "")
        fetch = f"fetch('{front_end.url}').catch((error) => console.log(error.cause.code))"
        told = subprocess.run([NODE, "-e", fetch], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == node_reason


@needs_clients
def test_the_javascript_client_tells_that_there_is_no_connection(front_end: FrontEnd) -> None:
    """A WebSocket tells its page nothing more, by its standard: docs/loadbalancer.md says how to find out."""

    async def scenario() -> ClientError:
        async with node_client() as client:
            with pytest.raises(ClientError) as refused:
                await client.call("startSession", text_session(front_end))
            return refused.value

    details = asyncio.run(scenario()).details
    assert (details["name"], details["closeCode"]) == ("SessionConnectionError", 1006)
