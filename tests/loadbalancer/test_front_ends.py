"""What the shipped nginx.conf and haproxy.cfg do alike."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.loadbalancer.certificates import Authority
from tests.loadbalancer.front_end import Start, free_ports, haproxy, needs_nginx, nginx
from tests.loadbalancer.node import CALLS, running_node
from tests.loadbalancer.site import Site, heard, site, until

QUERY = "agent_id=default&conversation_signature=s1gnature&resume_token=t0ken&token=b3arer"
CONVERSATION = "/v1/convai/conversations/conv_5ecret"
SECRETS = ("s1gnature", "t0ken", "b3arer", "5ecret")

pytestmark = pytest.mark.parametrize(
    "start", [pytest.param(nginx, id="nginx", marks=needs_nginx), pytest.param(haproxy, id="haproxy")]
)


def test_headers(start: Start, authority: Authority) -> None:
    """What Serve would obey is taken away, what a client says of itself is overwritten, all else goes through."""
    said = {
        "X-Request-Timeout-Seconds": "1",
        "x-request-disconnect-disabled": "?1",
        "X-Forwarded-For": "10.9.8.7",
        "X-Forwarded-Proto": "http",
        "xi-api-key": "a key",
    }

    async def scenario() -> None:
        async with site(start, authority) as here:
            async with here.dial(additional_headers=said, subprotocols=["convai"]) as call:
                in_call = await heard(call)
            rest = (await here.get("/v1/convai/conversations", said)).json()
            for headers in (in_call, rest):
                assert not {"x-request-timeout-seconds", "x-request-disconnect-disabled"} & headers.keys()
                assert headers["x-forwarded-for"] == "127.0.0.1"
                assert headers["x-forwarded-proto"] == "https"
                assert headers["xi-api-key"] == "a key"
                assert headers["host"] == f"localhost:{here.front_end.port}"
            assert in_call["sec-websocket-protocol"] == "convai"
            assert "upgrade" not in rest

    asyncio.run(scenario())


def test_messages_go_through_whole(start: Start, authority: Authority) -> None:
    async def scenario() -> None:
        async with site(start, authority) as here, here.dial() as call:
            await heard(call)
            for message in ("a" * 400_000, b"\x00\xff" * 1000):
                await call.send(message)
                assert await call.recv() == message

    asyncio.run(scenario())


def test_nothing_secret_is_written_down(start: Start, authority: Authority) -> None:
    async def scenario() -> str:
        async with site(start, authority) as here:
            async with here.dial(QUERY) as call:
                await heard(call)
            await here.get(f"{CONVERSATION}?{QUERY}")
            assert " 413 " in await here.ask(f"{CONVERSATION}?{QUERY}", "Content-Length: 9999999")
            assert " 400 " in await here.ask(f"{CONVERSATION}?{QUERY}", "no header")
            await here.until_written('127.0.0.0 "GET /v1/convai/conversations" 413')
            await here.until_written('127.0.0.0 "GET /v1/convai/conversation" 101')
            return here.front_end.written

    written = asyncio.run(scenario())
    assert not [secret for secret in SECRETS if secret in written]


def test_nothing_secret_is_written_down_of_failing_nodes(start: Start, authority: Authority) -> None:
    async def scenario() -> str:
        with start(authority.issue(), free_ports(2)) as front_end:
            here = Site(front_end, [], authority.trust())
            with pytest.raises(InvalidStatus):
                await here.dial(QUERY)
            assert (await here.get(f"{CONVERSATION}?{QUERY}")).is_server_error
            await here.until_written('127.0.0.0 "GET /v1/convai/conversations" 50')
            return front_end.written

    written = asyncio.run(scenario())
    assert not [secret for secret in SECRETS if secret in written]


def test_whoever_comes_without_tls_is_sent_on_to_our_name(start: Start, authority: Authority) -> None:
    async def scenario() -> None:
        async with site(start, authority) as here, httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://localhost:{here.front_end.clear_port}/a?b=c", headers={"host": "other"})
            assert (answer.status_code, answer.headers["location"]) == (308, "https://localhost/a?b=c")

    asyncio.run(scenario())


def test_other_names_are_not_served(start: Start, authority: Authority) -> None:
    async def scenario() -> None:
        async with site(start, authority) as here:
            anybody = ssl.create_default_context()
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            with pytest.raises(ssl.SSLError):
                await connect(
                    f"{here.front_end.ws_url}{CALLS}", ssl=anybody, server_hostname="other.example.com", proxy=None
                )
            answer = await here.get("/", {"host": "other.example.com"})
            assert answer.status_code == 421
            assert [node.paths for node in here.nodes] == [[], []]

    asyncio.run(scenario())


def test_what_is_within_stays_within(start: Start, authority: Authority) -> None:
    """Nor does another protocol get past: HTTP/2 in clear text would."""

    async def scenario() -> None:
        async with site(start, authority) as here:
            for path in ("/-/healthz", "/-/routes", "/%2d/routes"):
                assert (await here.ask(path)).startswith("HTTP/1.1 404"), path
            smuggled = await here.ask("/", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
            assert '"upgrade"' not in smuggled
            assert " 101 " not in smuggled
            assert {path for node in here.nodes for path in node.paths} <= {"/"}

    asyncio.run(scenario())


def test_protocols(start: Start, authority: Authority) -> None:
    """Pages may come over HTTP/2; TLS 1.1 is refused."""

    async def alpn(here: Site, trust: ssl.SSLContext) -> str | None:
        trust.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("localhost", here.front_end.port, ssl=trust)
        chosen: str | None = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
        return chosen

    async def scenario() -> None:
        async with site(start, authority) as here:
            old = authority.trust()
            old.set_ciphers("ALL:@SECLEVEL=0")
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                one = authority.trust()
                one.minimum_version = one.maximum_version = version
                assert await alpn(here, one) == "h2"
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises(ssl.SSLError):
                await alpn(here, old)

    asyncio.run(scenario())


def test_what_a_node_would_have_got_goes_to_another_when_it_is_gone(start: Start, authority: Authority) -> None:
    async def scenario() -> None:
        async with running_node() as stays, AsyncExitStack() as running:
            goes = await running.enter_async_context(running_node())
            with start(authority.issue(), [stays.port, goes.port]) as front_end:
                here = Site(front_end, [stays, goes], authority.trust())
                async with here.dial() as one, here.dial() as other:
                    assert [len(node.paths) for node in here.nodes] == [1, 1], "the one with fewer calls gets the next"
                    await running.aclose()
                    broken = [call for call in (one, other) if await _is_broken(call)]
                    assert len(broken) == 1
                    for _ in range(6):
                        async with here.dial() as call:
                            await heard(call)
                    assert len(stays.paths) == 7

    asyncio.run(scenario())


async def _is_broken(call: ClientConnection) -> bool:
    await heard(call)
    try:
        await call.send("there?")
        async with asyncio.timeout(2):
            return await call.recv() != "there?"
    except ConnectionClosed:
        return True


def test_a_node_that_answers_an_error_has_not_failed(start: Start, authority: Authority) -> None:
    """Without the database every node does, and calls go on."""

    async def scenario() -> None:
        async with site(start, authority) as here:
            for node in here.nodes:
                node.status = HTTPStatus.SERVICE_UNAVAILABLE
            for _ in range(6):
                assert (await here.get("/v1/convai/conversations")).status_code == 503
            assert sum(len(node.paths) for node in here.nodes) == 6, "none is asked in another's place"
            async with here.dial(), here.dial():
                assert [node.paths[-1] for node in here.nodes] == [CALLS, CALLS]

    asyncio.run(scenario())


OF_CALLS: Mapping[Start, Mapping[str, str]] = {
    nginx: {"limit_conn open_calls 100": "limit_conn open_calls 2"},
    haproxy: {"sc_conn_cur(1) gt 100": "sc_conn_cur(1) gt 2"},
}
OF_REQUESTS: Mapping[Start, Mapping[str, str]] = {
    nginx: {"rate=50r/s": "rate=1r/s", "burst=200": "burst=4"},
    haproxy: {"gt 700": "gt 5"},
}


def test_one_address_may_have_so_many_calls(start: Start, authority: Authority) -> None:
    """And one more when one has ended."""

    async def scenario() -> None:
        async with site(start, authority, OF_CALLS[start]) as here:
            async with here.dial(), here.dial():
                with pytest.raises(InvalidStatus) as refused:
                    await here.dial()
                assert refused.value.response.status_code == 429
                assert (await here.get("/")).status_code == 200, "calls are counted alone"
            await until(lambda: _is_taken(here))

    asyncio.run(scenario())


async def _is_taken(here: Site) -> bool:
    try:
        async with here.dial():
            return True
    except InvalidStatus:
        return False


def test_one_address_may_make_so_many_requests(start: Start, authority: Authority) -> None:
    async def scenario() -> list[int]:
        async with site(start, authority, OF_REQUESTS[start]) as here:
            return [(await here.get("/")).status_code for _ in range(8)]

    answers = asyncio.run(scenario())
    assert answers[:5] == 5 * [200]
    assert answers[-1] == 429


def test_a_new_certificate_costs_no_call(start: Start, authority: Authority) -> None:
    """Until the time is up that old processes have; with 1 s it is up soon."""

    async def scenario() -> None:
        limit = {"worker_shutdown_timeout 7200s": "worker_shutdown_timeout 1s"}
        if start is haproxy:
            limit = {"hard-stop-after 7200s": "hard-stop-after 1s"}
        async with (
            site(start, authority) as patient,
            site(start, authority, limit) as hurried,
            patient.dial() as kept,
            hurried.dial() as cut,
        ):
            await heard(kept)
            await heard(cut)
            await _renew(patient, authority)
            await _renew(hurried, authority)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(4):
                    await cut.recv()
            await kept.send("still there")
            assert await kept.recv() == "still there"

    asyncio.run(scenario())


async def _renew(here: Site, authority: Authority) -> None:
    """Until new connections are shown another certificate."""

    async def shown() -> str:
        _, writer = await asyncio.open_connection("localhost", here.front_end.port, ssl=here.trust)
        serial: str = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        return serial

    async def is_new() -> bool:
        return await shown() != before

    before = await shown()
    here.front_end.install(authority.issue())
    here.front_end.reload()
    await until(is_new)
