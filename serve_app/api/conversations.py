"""Conversations over REST, as ElevenLabs serves them, and in a compact form of our own."""

import logging
from typing import Any, Literal, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_app.api.answers import Endpoint, error, for_key_holders
from serve_app.api.filters import filters_of
from serve_app.api_keys import ApiKeys
from serve_app.errors import ClientError, StoreError
from serve_app.store.filters import Filters
from serve_app.store.opinions import Opinion
from serve_app.store.otlp import otlp_traces

LONGEST_BODY = 16_384
"""Bytes: a comment has 2,000 characters at most."""

logger = logging.getLogger(__name__)


class ConversationReader(Protocol):
    """None: there is no conversation by that id. Raises StoreError."""

    async def read(self, conversation_id: str) -> dict[str, Any] | None:
        """ElevenLabs' conversation object."""
        ...

    async def metrics(self, conversation_id: str) -> dict[str, Any] | None:
        """Our compact form."""
        ...


class ConversationList(Protocol):
    async def page(self, filters: Filters) -> dict[str, Any]:
        """One page in ElevenLabs' shape. Raises StoreError, and ClientError."""
        ...


class Deletion(Protocol):
    async def delete(self, conversation_id: str) -> Literal["deleted", "in progress", "unknown"]:
        """Every trace of it. Raises StoreError."""
        ...


class Opinions(Protocol):
    async def give(self, conversation_id: str, opinion: Opinion) -> bool:
        """False: there is no such conversation. Raises StoreError."""
        ...


def routes(
    reader: ConversationReader, listing: ConversationList, deletion: Deletion, opinions: Opinions, keys: ApiKeys
) -> list[Route]:
    """Under /v1/convai/conversations, all 401 without a key and 503 while the store is away:
    GET: 200, 422. GET /{id}: 200, 404, 422. DELETE /{id}: 200, 404, 422 of a call that goes on.
    POST /{id}/feedback, for everybody: 200, 404, 413, 422. And GET /v1/conversations/{id}/metrics: 200, 404."""

    async def list_conversations(request: Request) -> Response:
        try:
            return JSONResponse(await listing.page(filters_of(request.query_params)))
        except ClientError as e:
            return error(422, "invalid_filter", e.message)

    async def get_conversation(request: Request) -> Response:
        form = request.query_params.get("format", "json")
        if form not in ("json", "opentelemetry"):
            return error(422, "invalid_format", "format is json or opentelemetry.")
        conversation = await reader.read(_id(request))
        if conversation is None:
            return _unknown(request)
        traces = {"otlp_traces": otlp_traces(conversation)} if form == "opentelemetry" else {}
        return JSONResponse(conversation | traces)

    async def get_metrics(request: Request) -> Response:
        metrics = await reader.metrics(_id(request))
        return JSONResponse(metrics) if metrics else _unknown(request)

    async def delete_conversation(request: Request) -> Response:
        match await deletion.delete(_id(request)):
            case "unknown":
                return _unknown(request)
            case "in progress":
                message = "The call goes on: it can be deleted when it is over."
                return error(422, "conversation_in_progress", message)
        return JSONResponse({})

    async def post_feedback(request: Request) -> Response:
        """The JS client sends this, without a key."""
        try:
            opinion = msgspec.json.decode(await _body(request), type=Opinion)
        except msgspec.MsgspecError as e:
            return error(422, "invalid_feedback", str(e))
        except ClientError as e:
            return error(413, "too_long", e.message)
        if opinion == Opinion():
            return error(422, "invalid_feedback", "Send feedback (like, dislike), a rating (1 to 5), or a comment.")
        return JSONResponse({}) if await opinions.give(_id(request), opinion) else _unknown(request)

    def route(path: str, endpoint: Endpoint, method: str) -> Route:
        return Route(path, _unless_away(path, endpoint), methods=[method])

    path = "/v1/convai/conversations/{conversation_id}"
    return [
        route("/v1/convai/conversations", for_key_holders(keys, list_conversations), "GET"),
        route(path, for_key_holders(keys, get_conversation), "GET"),
        route(path, for_key_holders(keys, delete_conversation), "DELETE"),
        route(f"{path}/feedback", post_feedback, "POST"),
        route("/v1/conversations/{conversation_id}/metrics", for_key_holders(keys, get_metrics), "GET"),
    ]


def _unless_away(path: str, endpoint: Endpoint) -> Endpoint:
    """The log is told of the route: in the request's own path there may be anything."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except StoreError as e:
            logger.warning("%s of %s was not possible: %s", request.method, path, e.message)
            return error(503, "store_unavailable", "Conversations cannot be reached at the moment. Try again later.")

    return answered


def _id(request: Request) -> str:
    return str(request.path_params["conversation_id"])


def _unknown(request: Request) -> JSONResponse:
    return error(404, "conversation_not_found", f"Conversation with id {_id(request)} not found.")


async def _body(request: Request) -> bytes:
    """Raises ClientError, before it has read more than is sensible."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            raise ClientError(f"A body has {LONGEST_BODY} bytes at most.")
    return body
