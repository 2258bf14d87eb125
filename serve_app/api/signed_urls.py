"""Ways into a conversation over REST: signed URLs; no WebRTC tokens."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_app.access import new_conversation_id
from serve_app.api.answers import error, for_key_holders, withheld
from serve_app.api_keys import ApiKeys
from serve_app.conversation.agent import Agent
from serve_app.signatures import Signatures


def routes(
    agents: Mapping[str, Agent], keys: ApiKeys, signatures: Signatures | None, public_url: str | None
) -> list[Route]:
    """GET .../get-signed-url?agent_id: 200, 401, 403, 404, 422, 503 without `signatures`. GET .../token: 400."""

    async def get_signed_url(request: Request) -> Response:
        agent_id = request.query_params.get("agent_id")
        if not agent_id:
            return error(422, "missing_agent_id", "Which agent? Add agent_id to the query.")
        if refusal := withheld(agents, agent_id, keys):
            return refusal
        if signatures is None:
            return error(503, "signing_secret_not_set", "Set SIGNING_SECRET on the server: it signs the URLs.")
        reserved = new_conversation_id() if _wants_conversation_id(request) else None
        query = {"agent_id": agent_id, "conversation_signature": signatures.sign(agent_id, reserved)}
        if reserved:
            query["conversation_id"] = reserved
        return JSONResponse({"signed_url": f"{_socket_url(request, public_url)}?{urlencode(query)}"})

    async def get_token(_: Request) -> Response:
        """Open to all, as it gives nothing away: of a 401 the JS client would make "authentication enabled". No 5xx,
        which the Python client would ask for again."""
        message = 'WebRTC is not served here: use connectionType "websocket", or a signed URL.'
        return error(400, "webrtc_not_served", message)

    return [
        Route("/v1/convai/conversation/get-signed-url", for_key_holders(keys, get_signed_url), methods=["GET"]),
        Route("/v1/convai/conversation/token", get_token, methods=["GET"]),
    ]


def _wants_conversation_id(request: Request) -> bool:
    return request.query_params.get("include_conversation_id", "").lower() in ("true", "1")


def _socket_url(request: Request, public_url: str | None) -> str:
    """Where this server is for its clients: as told, else as this one has called it. TLS ends in front of us."""
    if public_url:
        base = public_url.replace("http", "ws", 1)
    else:
        asked_by = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
        base = str(request.base_url.replace(scheme="wss" if asked_by == "https" else "ws"))
    return f"{base.rstrip('/')}/v1/convai/conversation"
