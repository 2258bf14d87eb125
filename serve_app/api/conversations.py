"""Conversations over REST, as ElevenLabs serves them."""

import logging
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_app.api.answers import error, for_key_holders
from serve_app.api_keys import ApiKeys
from serve_app.errors import StoreError

logger = logging.getLogger(__name__)


class ConversationReader(Protocol):
    async def read(self, conversation_id: str) -> dict[str, Any] | None:
        """The conversation object of ElevenLabs' API, or None if there is none by that id. Raises StoreError."""
        ...


def routes(reader: ConversationReader, keys: ApiKeys) -> list[Route]:
    """GET /v1/convai/conversations/{conversation_id}: 200, 401, 404 if unknown, 503 while the store is away. POST to
    its /feedback: 404, for everybody."""

    async def get_conversation(request: Request) -> Response:
        conversation_id = request.path_params["conversation_id"]
        try:
            conversation = await reader.read(conversation_id)
        except StoreError as e:
            logger.warning("conversation %r could not be read: %s", conversation_id, e.message)
            return error(503, "store_unavailable", "Conversations cannot be read at the moment. Try again later.")
        if conversation is None:
            return error(404, "conversation_not_found", f"Conversation with id {conversation_id} not found.")
        return JSONResponse(conversation)

    async def post_feedback(_: Request) -> Response:
        """The JS client sends this, without a key."""
        message = "Feedback is taken over the WebSocket alone for now: send a `feedback` message during the call."
        return error(404, "not_found", message)

    path = "/v1/convai/conversations/{conversation_id}"
    return [
        Route(path, for_key_holders(keys, get_conversation), methods=["GET"]),
        Route(f"{path}/feedback", post_feedback, methods=["POST"]),
    ]
