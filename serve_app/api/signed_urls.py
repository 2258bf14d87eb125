"""Ways into a conversation over REST: signed URLs; no WebRTC tokens."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_app.access import new_conversation_id
from serve_app.api.answers import error, for_key_holders, withheld
from serve_app.api_keys import ApiKeys
from serve_app.conversation.agent import Agent
from serve_app.regions import Regions
from serve_app.signatures import Signatures


def routes(
    agents: Mapping[str, Agent],
    keys: ApiKeys,
    signatures: Signatures | None,
    public_url: str | None,
    regions: Regions,
    has_room: Callable[[str], bool],
) -> list[Route]:
    """GET .../get-signed-url?agent_id: 200, 401, 403, 404, 422, 503 without `signatures`. GET .../token: 400.

    Where there are several `regions`, the URL is of the one that is asked for by `region`, else of this one, if it
    `has_room` for a conversation with the agent; `alternatives` has the others'. All have the same secret.
    """

    async def get_signed_url(request: Request) -> Response:
        agent_id, region = request.query_params.get("agent_id"), request.query_params.get("region")
        if not agent_id:
            return error(422, "missing_agent_id", "Which agent? Add agent_id to the query.")
        if region and region not in regions.urls:
            return error(422, "unknown_region", f"There is no region {region}: {', '.join(regions.urls) or 'none'}.")
        if refusal := withheld(agents, agent_id, keys):
            return refusal
        if signatures is None:
            return error(503, "signing_secret_not_set", "Set SIGNING_SECRET on the server: it signs the URLs.")
        query = _opening(agent_id, signatures, reserves=_wants_conversation_id(request))
        if not regions.urls:
            return JSONResponse({"signed_url": f"{_socket_url(_base_url(request, public_url))}?{query}"})
        first, *others = [
            {"region": name, "signed_url": f"{_socket_url(regions.urls[name])}?{query}"}
            for name in regions.for_caller(region, own_has_room=has_room(agent_id))
        ]
        return JSONResponse({**first, "alternatives": others})

    async def get_token(_: Request) -> Response:
        """Open to all, as it gives nothing away: of a 401 the JS client would make "authentication enabled". No 5xx,
        which the Python client would ask for again."""
        message = 'WebRTC is not served here: use connectionType "websocket", or a signed URL.'
        return error(400, "webrtc_not_served", message)

    return [
        Route("/v1/convai/conversation/get-signed-url", for_key_holders(keys, get_signed_url), methods=["GET"]),
        Route("/v1/convai/conversation/token", get_token, methods=["GET"]),
    ]


def _opening(agent_id: str, signatures: Signatures, *, reserves: bool) -> str:
    """The query that opens a conversation."""
    reserved = new_conversation_id() if reserves else None
    query = {"agent_id": agent_id, "conversation_signature": signatures.sign(agent_id, reserved)}
    return urlencode({**query, "conversation_id": reserved} if reserved else query)


def _wants_conversation_id(request: Request) -> bool:
    return request.query_params.get("include_conversation_id", "").lower() in ("true", "1")


def _base_url(request: Request, public_url: str | None) -> str:
    """Where this server is for its clients: as told, else as this one has called it. TLS ends in front of us."""
    if public_url:
        return public_url
    asked_by = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
    return str(request.base_url.replace(scheme="https" if asked_by in ("https", "wss") else "http"))


def _socket_url(base_url: str) -> str:
    return f"{base_url.replace('http', 'ws', 1).rstrip('/')}/v1/convai/conversation"
