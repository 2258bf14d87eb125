"""Webhook tools whose server stalls, breaks off, is not there, or cannot be trusted."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.responses import Response

from serve_app.errors import ToolError
from tests.fakes.webhook_server import FakeWebhook, Fault
from tests.providers.webhook_calls import TEXT, call, properties, refused, tool, webhooks


@pytest.fixture(scope="module")
def server() -> Iterator[FakeWebhook]:
    with FakeWebhook() as server:
        yield server


@pytest.fixture
def fake(server: FakeWebhook) -> FakeWebhook:
    server.reset()
    return server


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_MIDWAY])
def test_the_whole_answer_must_come_in_time(fake: FakeWebhook, fault: Fault) -> None:
    fake.fault = fault
    assert refused(tool(fake.url, timeout=1)) == "no answer within 1 s"
    assert fake.disconnected.wait(5)


def test_cancelling_closes_the_request(fake: FakeWebhook) -> None:
    fake.fault = Fault.STALL

    async def cancelled() -> None:
        async with webhooks() as caller:
            calling = asyncio.create_task(caller.call(tool(fake.url), {}, {}))
            await asyncio.to_thread(fake.stalling.wait, 5)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            assert await asyncio.to_thread(fake.disconnected.wait, 5)

    asyncio.run(cancelled())


def test_an_answer_that_breaks_off_is_none(fake: FakeWebhook) -> None:
    fake.fault = Fault.EARLY_CLOSE
    assert refused(tool(fake.url)) == "the connection to 127.0.0.1 broke off"


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert refused(tool(f"http://127.0.0.1:{port}/")).startswith("no connection to 127.0.0.1")


def test_an_address_has_an_end(fake: FakeWebhook) -> None:
    in_path = tool(f"{fake.url}/{{id}}", path_params_schema={"id": TEXT})
    in_query = tool(fake.url, query_params_schema=properties("id"))
    assert "too long" in refused(in_path, {"id": "a" * 100_000})
    assert "too long" in refused(in_query, {"id": "a" * 100_000})
    assert fake.received == []


def test_tls_is_wanted_where_the_url_says_so(fake: FakeWebhook) -> None:
    message = refused(tool(fake.url.replace("http:", "https:")))
    assert message.startswith("no connection to 127.0.0.1: ")
    assert "SSL" in message


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async def exchange() -> str:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self_signed(tmp_path))
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with server, webhooks() as caller:
            with pytest.raises(ToolError) as error:
                await caller.call(tool(f"https://localhost:{server.sockets[0].getsockname()[1]}/"), {}, {})
        return error.value.message

    assert "certificate" in asyncio.run(exchange())


def test_nothing_of_a_call_is_logged(fake: FakeWebhook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    order = tool(
        f"{fake.url}/{{id}}",
        path_params_schema={"id": TEXT},
        query_params_schema=properties("word"),
        request_headers={"x-key": {"secret_id": "SHOP_KEY"}},
    )
    fake.answer = lambda received: Response("private answer")
    call(order, {"id": "private-id", "word": "private word"})
    assert fake.received
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert logged  # httpcore's own: at DEBUG it writes hosts and answers' headers
    assert not [message for message in logged if "private" in message or "s3cret" in message]


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Paths of a certificate for localhost, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"
