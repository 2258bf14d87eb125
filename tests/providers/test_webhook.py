"""Webhook tools against a real HTTP server, which keeps each request as it stood on the wire."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse, RedirectResponse, Response

from serve_app.conversation.tool_use import LONGEST_RESULT, Outcome
from serve_app.errors import ToolError
from serve_app.providers.webhook import HttpWebhooks
from tests.fakes.webhook_server import FakeWebhook, Fault
from tests.providers.webhook_calls import ENVIRON, TEXT, call, properties, refused, tool, webhooks

SPELLINGS = [
    'tok/en"+é=',
    json.dumps('tok/en"+é=')[1:-1],
    json.dumps('tok/en"+é=', ensure_ascii=False)[1:-1],
    r"tok\/en\"+\u00e9=",  # PHP
    "tok%2Fen%22%2B%C3%A9%3D",
    "tok/en%22%2B%C3%A9%3D",
    'Bearer tok/en"+é=',
    "Bearer%20tok%2Fen%22%2B%C3%A9%3D",
]
"""Of ODD_KEY, and of its token."""


@pytest.fixture(scope="module")
def server() -> Iterator[FakeWebhook]:
    with FakeWebhook() as server:
        yield server


@pytest.fixture
def fake(server: FakeWebhook) -> FakeWebhook:
    server.reset()
    return server


# ---- the request


def test_each_parameter_goes_to_its_place(fake: FakeWebhook) -> None:
    order = tool(
        f"{fake.url}/{{{{tenant}}}}/orders/{{order_id}}",
        method="POST",
        path_params_schema={"order_id": TEXT},
        query_params_schema=properties("detail", "page"),
        request_body_schema=properties("note", "tags"),
        request_headers={"authorization": {"secret_id": "SHOP_KEY"}, "x-caller": {"variable_name": "caller"}},
    )
    arguments = {"order_id": 12, "detail": "a b&c", "page": 2, "note": "olá", "tags": ["x"]}
    assert call(order, arguments, {"tenant": "acme", "caller": "João"}) == '{"ok":true}'
    [received] = fake.received
    assert received.method == "POST"
    assert received.target == "/acme/orders/12?detail=a+b%26c&page=2"
    assert received.json == {"note": "olá", "tags": ["x"]}
    assert received.headers["content-type"] == "application/json"
    assert received.headers["authorization"] == ENVIRON["SHOP_KEY"]
    assert received.headers["x-caller"].encode("latin-1").decode() == "João"


def test_what_was_not_given_is_not_sent(fake: FakeWebhook) -> None:
    call(tool(f"{fake.url}/?fixed=1", query_params_schema=properties("detail")))
    call(tool(f"{fake.url}/?fixed=1", query_params_schema=properties("detail")), {"detail": True})
    assert [received.target for received in fake.received] == ["/?fixed=1", "/?fixed=1&detail=true"]
    assert [received.body for received in fake.received] == [b"", b""]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_method_is_the_files(fake: FakeWebhook, method: str) -> None:
    call(tool(fake.url, method=method))
    assert fake.received[0].method == method


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("1?admin=1", "1%3Fadmin%3D1"),
        ("1#x", "1%23x"),
        ("1;v=2", "1%3Bv%3D2"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("@evil.example", "%40evil.example"),
        ("a b\r\nx: y", "a%20b%0D%0Ax%3A%20y"),
        ("ação", "a%C3%A7%C3%A3o"),
        ("...", "..."),
    ],
)
def test_a_value_is_one_segment_of_the_path(fake: FakeWebhook, value: str, segment: str) -> None:
    call(tool(f"{fake.url}/orders/{{id}}/items", path_params_schema={"id": TEXT}), {"id": value})
    call(tool(f"{fake.url}/orders/{{{{id}}}}/items"), {}, {"id": value})
    assert [received.target for received in fake.received] == [f"/orders/{segment}/items"] * 2


@pytest.mark.parametrize("value", ["", ".", "..", "../admin", "a/../../admin", "..\\admin"])
def test_no_value_leads_out_of_its_segment(fake: FakeWebhook, value: str) -> None:
    order = tool(f"{fake.url}/orders/{{id}}", path_params_schema={"id": TEXT})
    assert refused(order, {"id": value}) == "id cannot be part of an address"
    assert fake.received == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(max_size=20), word=st.text(max_size=20))
def test_no_text_changes_path_or_query(fake: FakeWebhook, value: str, word: str) -> None:
    fake.reset()
    order = tool(f"{fake.url}/orders/{{id}}/items?k={{{{word}}}}&z=1", path_params_schema={"id": TEXT})
    try:
        call(order, {"id": value}, {"word": word})
    except ToolError:
        assert fake.received == []
        return
    path, _, query = fake.received[0].target.partition("?")
    assert path.startswith("/orders/")
    assert path.endswith("/items")
    assert path.count("/") == 3
    assert [pair.partition("=")[0] for pair in query.split("&")] == ["k", "z"]


@pytest.mark.parametrize("value", ["a\r\nx-admin: 1", "a\nb", "a\x00b"])
def test_no_value_begins_another_header(fake: FakeWebhook, value: str) -> None:
    headers = {"x-caller": {"variable_name": "caller"}}
    complaint = refused(tool(fake.url, request_headers=headers), {}, {"caller": value})
    assert complaint == "the value for the header x-caller has a line break or another control character"
    assert fake.received == []


def test_a_secrets_last_line_break_is_not_part_of_it(fake: FakeWebhook) -> None:
    async def result() -> str:
        caller = HttpWebhooks({"KEY": " k1\n"})
        try:
            return await caller.call(tool(fake.url, request_headers={"x-key": {"secret_id": "KEY"}}), {}, {})
        finally:
            await caller.aclose()

    asyncio.run(result())
    assert fake.received[0].headers["x-key"] == "k1"


def test_one_connection_serves_many_calls_and_keeps_no_cookies(fake: FakeWebhook) -> None:
    fake.answer = lambda received: Response("ok", headers={"set-cookie": "session=of-one-caller; Path=/"})

    async def twice() -> None:
        async with webhooks() as caller:
            await caller.call(tool(fake.url), {}, {})
            await caller.call(tool(fake.url), {}, {})

    asyncio.run(twice())
    assert len({received.client_port for received in fake.received}) == 1
    assert "cookie" not in fake.received[1].headers


def test_proxies_of_the_environment_are_not_asked(fake: FakeWebhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert call(tool(fake.url)) == '{"ok":true}'


# ---- the answer


def test_json_is_passed_as_it_is(fake: FakeWebhook) -> None:
    fake.answer = lambda received: Response('{ "total" : 1.50 }', media_type="application/json")
    assert call(tool(fake.url)) == '{ "total" : 1.50 }'


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "olá".encode(), "olá"),
        ("text/plain; charset=iso-8859-1", "olá".encode("latin-1"), "olá"),
        ("text/plain; charset=klingon", "olá".encode(), "olá"),
        ("text/plain; charset=base64", b"abc", "abc"),
        ("image/png", b"\x89PNG\xff", "\ufffdPNG\ufffd"),
        ("text/plain", b"", ""),
    ],
)
def test_any_body_becomes_text(fake: FakeWebhook, content_type: str, body: bytes, text: str) -> None:
    fake.answer = lambda received: Response(body, headers={"content-type": content_type})
    assert call(tool(fake.url)) == text


def test_an_endless_answer_is_left_where_the_result_is_cut_anyway(fake: FakeWebhook) -> None:
    fake.fault = Fault.ENDLESS
    result = call(tool(fake.url))
    assert LONGEST_RESULT < len(result) < 10 * LONGEST_RESULT
    assert Outcome(result).truncated  # the model is told so
    assert fake.disconnected.wait(5)


def test_an_answer_of_long_characters_is_not_cut_in_silence(fake: FakeWebhook) -> None:
    fake.answer = lambda received: Response("😀" * 200_000)
    assert Outcome(call(tool(fake.url))).truncated


def test_no_compressed_answer_is_asked_for_or_taken(fake: FakeWebhook) -> None:
    fake.answer = lambda received: Response(b"\x1f\x8b...", headers={"content-encoding": "gzip"})
    assert "compressed" in refused(tool(fake.url))
    assert fake.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a_refusal_is_told_with_its_first_words(fake: FakeWebhook, status: int) -> None:
    fake.answer = lambda received: JSONResponse({"error": "no such order" + "!" * 1000}, status)
    message = refused(tool(fake.url))
    assert message.startswith(f'HTTP {status}: {{"error":"no such order!')
    assert len(message) == len(f"HTTP {status}: ") + 500


def test_redirects_are_not_followed(fake: FakeWebhook) -> None:
    fake.answer = lambda received: RedirectResponse(f"{fake.url}/elsewhere")
    assert refused(tool(fake.url)).startswith("HTTP 307")
    assert len(fake.received) == 1


@pytest.mark.parametrize("status", [200, 401])
def test_a_secret_that_is_quoted_back_is_blotted_out(fake: FakeWebhook, status: int) -> None:
    fake.answer = lambda received: JSONResponse({"bad key": received.headers["x-key"]}, status)
    echo = tool(fake.url, request_headers={"x-key": {"secret_id": "SHOP_KEY"}})
    text = call(echo) if status == 200 else refused(echo)
    assert "s3cret" not in text
    assert '{"bad key":"[secret]"}' in text


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_so_is_the_token_alone_however_it_is_spelled(fake: FakeWebhook, spelling: str, status: int) -> None:
    fake.answer = lambda received: Response(f"Bearer token not known: {spelling}.", status)
    echo = tool(fake.url, request_headers={"x-key": {"secret_id": "ODD_KEY"}})
    text = call(echo) if status == 200 else refused(echo)
    assert text.endswith("Bearer token not known: [secret].")


def test_short_words_of_a_secret_stay_in_the_answer(fake: FakeWebhook) -> None:
    fake.answer = lambda received: Response("The v1 Bot says Bearer.")
    echo = tool(fake.url, request_headers={"x-key": {"secret_id": "SHORT_KEY"}})
    assert call(echo) == "The v1 Bot says Bearer."
