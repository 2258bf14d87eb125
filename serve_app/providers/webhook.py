"""Webhook tools: each call is one HTTP request of ours, and the body of its answer is the result."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, cast
from urllib.parse import quote

import httpx

from serve_app.conversation.dynamic_variables import Variables, written
from serve_app.conversation.tool_use import LONGEST_RESULT
from serve_app.conversation.tools import URL_PLACE, ApiSchema, Parameters, Reference, WebhookTool
from serve_app.errors import ToolError
from serve_app.observability.correlation import note, trace_headers
from serve_app.providers.request_ids import request_id

# UTF-8 has at most four bytes a character: with one byte more the text is over its own limit, where it is cut aloud.
MOST_BYTES = 4 * LONGEST_RESULT

MOST_ERROR_CHARACTERS = 500

# Most servers keep an idle connection for 60 s and more; a caller's next question comes sooner.
LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=55)

# Decompressing could make a gigabyte of what was read within the limit.
_UNCOMPRESSED = (b"accept-encoding", b"identity")

_SHORTEST_PART = 6
"""Characters. A shorter word of a secret ("Basic", "v1") gives nothing away, and stands in many an answer."""

_SCHEMES = frozenset({"api-key", "apikey", "bearer", "digest"})

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class HttpWebhooks:
    """Calls the webhooks of all agents over connections kept warm; `environ` holds the secrets that they name.

    It works on the transport: a client would write every URL, with what callers said, to the log, keep cookies from
    one caller for the next, and use the proxy of the environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._transport = httpx.AsyncHTTPTransport(limits=LIMITS)

    async def call(self, tool: WebhookTool, arguments: Mapping[str, Any], variables: Variables) -> str:
        """See `serve_app.ports.WebhookCaller`. Cancelling closes the request."""
        request = self._request(tool.api_schema, arguments, variables)
        with _translated_errors(tool, request.url.host):
            async with asyncio.timeout(tool.response_timeout_secs), self._answer(request) as response:
                text = self._without_secrets(tool, _text(response, await _body(response)))
        if not response.is_success:
            raise ToolError(f"HTTP {response.status_code}: {text[:MOST_ERROR_CHARACTERS]}")
        return text

    async def aclose(self) -> None:
        """Close the connections. No tool may be called afterwards."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _answer(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        async with aclosing(await self._transport.handle_async_request(request)) as response:
            note(status=response.status_code, request_id=request_id(response.headers))
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ToolError("the tool's server compressed its answer though it was asked not to")
            yield response

    def _request(self, api: ApiSchema, arguments: Mapping[str, Any], variables: Variables) -> httpx.Request:
        url = _url(api, arguments, variables)
        body = None if api.request_body_schema is None else _of(api.request_body_schema, arguments)
        traced = [(name.encode(), value.encode()) for name, value in trace_headers().items()]
        headers = [_UNCOMPRESSED, *traced, *self._headers(api, variables)]
        return httpx.Request(api.method, url, headers=headers, json=body)

    def _headers(self, api: ApiSchema, variables: Variables) -> Iterator[tuple[bytes, bytes]]:
        for name, value in api.request_headers.items():
            text = self._header_value(value, variables).strip()
            if _CONTROL.search(text):  # would begin a header of its own; not quoted, since it may be a secret
                raise ToolError(f"the value for the header {name} has a line break or another control character")
            yield name.encode(), text.encode()

    def _header_value(self, value: str | Reference, variables: Variables) -> str:
        if isinstance(value, str):
            return value
        return self._environ[value.secret_id] if value.secret_id else written(variables[value.variable_name])

    def _without_secrets(self, tool: WebhookTool, text: str) -> str:
        """Servers quote the key that they refuse; the model might read it out."""
        headers = tool.api_schema.request_headers.values()
        names = {value.secret_id for value in headers if isinstance(value, Reference) and value.secret_id}
        spellings = {spelling for name in names for spelling in _spellings(self._environ[name])}
        for spelling in sorted(spellings, key=len, reverse=True):  # the whole before its parts
            text = text.replace(spelling, "[secret]")
        return text


def _spellings(secret: str) -> Iterator[str]:
    """A secret and its parts, since of "Bearer TOKEN" servers quote the token; as they stand in text, JSON and URLs."""
    parts = [part for part in secret.split() if len(part) >= _SHORTEST_PART and part.lower() not in _SCHEMES]
    for part in (secret.strip(), *parts):
        yield part
        for escaped in (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]):
            yield escaped
            yield escaped.replace("/", r"\/")  # as PHP writes it
        yield quote(part)
        yield quote(part, safe="")


def _url(api: ApiSchema, arguments: Mapping[str, Any], variables: Variables) -> httpx.URL:
    """Each value stays within its place: it is quoted whole, and is no step up from it."""

    def quoted(place: re.Match[str]) -> str:
        value = written(variables[place["variable"]] if place["variable"] else arguments[place["parameter"]])
        in_path = "?" not in api.url[: place.start()]
        if in_path and (not value or {".", ".."} & set(re.split(r"[/\\]", value))):
            raise ToolError(f"{place['variable'] or place['parameter']} cannot be part of an address")
        return quote(value, safe="")

    try:
        url = httpx.URL(URL_PLACE.sub(quoted, api.url))
        query = _of(api.query_params_schema, arguments)
        return url.copy_merge_params(query) if query else url
    except httpx.InvalidURL as e:  # too long, above all
        raise ToolError(f"the address cannot be used: {e}") from e


def _of(parameters: Parameters | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    names = parameters.properties if parameters else {}
    return {name: arguments[name] for name in names if name in arguments}


async def _body(response: httpx.Response) -> bytes:
    """All of it, or what has come when it is too much: the rest is not waited for."""
    body = bytearray()
    raw = cast(AsyncGenerator[bytes, None], response.aiter_raw())
    async with aclosing(raw) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > MOST_BYTES:
                break
    return bytes(body)


def _text(response: httpx.Response, body: bytes) -> str:
    try:
        return body.decode(response.charset_encoding or "utf-8", errors="replace")
    except (LookupError, UnicodeError):  # a charset that there is not, or that is none of text
        return body.decode("utf-8", errors="replace")


@contextmanager
def _translated_errors(tool: WebhookTool, host: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as e:
        raise ToolError(f"no answer within {tool.response_timeout_secs} s") from e
    except httpx.ConnectError as e:
        raise ToolError(f"no connection to {host}: {e}") from e
    except httpx.TransportError as e:  # its text may quote what was sent or what came
        raise ToolError(f"the connection to {host} broke off") from e
