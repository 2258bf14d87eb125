"""What routes answer alike: errors in ElevenLabs' shape, and refusals."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serve_app.api_keys import ApiKeys, sent_key
from serve_app.conversation.agent import Agent

Endpoint = Callable[[Request], Awaitable[Response]]


def error(http_status: int, status: str, message: str) -> JSONResponse:
    return JSONResponse({"detail": {"status": status, "message": message}}, status_code=http_status)


async def unserved(request: Request, refusal: Exception) -> JSONResponse:
    """Starlette's own 404 and 405: clients look for the reason in `detail`."""
    assert isinstance(refusal, HTTPException)
    status = "not_found" if refusal.status_code == 404 else "method_not_allowed"
    answer = error(refusal.status_code, status, f"{request.method} {request.url.path} is not served here.")
    answer.headers.update(refusal.headers or {})  # Allow
    return answer


def for_key_holders(keys: ApiKeys, endpoint: Endpoint) -> Endpoint:
    """401 for who sends none of the keys. Where there are none, the endpoint is everybody's."""

    async def guarded(request: Request) -> Response:
        if keys and sent_key(request.headers) not in keys:
            return error(401, "invalid_api_key", "Send one of this server's API_KEYS in the header xi-api-key.")
        return await endpoint(request)

    return guarded


def unknown(agents: Mapping[str, Agent], agent_id: str) -> JSONResponse | None:
    """404, if there is no such agent."""
    if agent_id in agents:
        return None
    return error(404, "agent_not_found", f"Agent with id {agent_id} not found.")


def withheld(agents: Mapping[str, Agent], agent_id: str, keys: ApiKeys) -> JSONResponse | None:
    """404 if there is no such agent, 403 if it is private and nobody can prove who he is."""
    if refusal := unknown(agents, agent_id):
        return refusal
    if agents[agent_id].platform_settings.auth.enable_auth and not keys:
        return error(403, "api_keys_not_set", f"Agent {agent_id} is private: set API_KEYS on the server first.")
    return None
