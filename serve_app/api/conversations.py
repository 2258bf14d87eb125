"""Conversations over REST, as ElevenLabs serves them."""

import logging
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_app.errors import StoreError

logger = logging.getLogger(__name__)


class ConversationReader(Protocol):
    async def read(self, conversation_id: str) -> dict[str, Any] | None:
        """The conversation object of ElevenLabs' API, or None if there is none by that id. Raises StoreError."""
        ...


def routes(reader: ConversationReader) -> list[Route]:
    """GET /v1/convai/conversations/{conversation_id}: 200, 404 if unknown, 503 while the store is away."""

    async def get_conversation(request: Request) -> Response:
        conversation_id = request.path_params["conversation_id"]
        try:
            conversation = await reader.read(conversation_id)
        except StoreError as e:
            logger.warning("conversation %r could not be read: %s", conversation_id, e.message)
            return _error(503, "store_unavailable", "Conversations cannot be read at the moment. Try again later.")
        if conversation is None:
            return _error(404, "conversation_not_found", f"Conversation with id {conversation_id} not found.")
        return JSONResponse(conversation)

    return [Route("/v1/convai/conversations/{conversation_id}", get_conversation, methods=["GET"])]


def _error(http_status: int, status: str, message: str) -> JSONResponse:
    return JSONResponse({"detail": {"status": status, "message": message}}, status_code=http_status)
