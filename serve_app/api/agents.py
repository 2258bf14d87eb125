"""Agents over REST, as ElevenLabs serves them: to read, since they are files."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_app.api.answers import error, for_key_holders, unknown, withheld
from serve_app.api_keys import ApiKeys, sent_key
from serve_app.conversation.agent import Agent
from serve_app.conversation.overrides import in_language, leaves
from serve_app.errors import ClientError
from serve_app.signatures import Signatures

_WIDGET: dict[str, Any] = {
    "variant": "full",
    "placement": "bottom-right",
    "avatar": {"type": "orb", "color_1": "#2792dc", "color_2": "#9ce6e6"},
    "feedback_mode": "none",
    "mic_muting_enabled": False,
    "transcript_enabled": False,
    "text_input_enabled": True,
    "default_expanded": False,
    "always_expanded": False,
    "disable_banner": False,
    "text_contents": {},
}
"""ElevenLabs' defaults for what the widget does not start without."""


def routes(agents: Mapping[str, Agent], keys: ApiKeys, signatures: Signatures | None) -> list[Route]:
    """GET /v1/convai/agents/{agent_id}: 200, 401, 403, 404. Its /widget: 200, 404; 401 if the agent is private and
    there is neither a key nor a `conversation_signature`."""
    loaded_at = int(time.time())

    async def get_agent(request: Request) -> Response:
        agent_id = request.path_params["agent_id"]
        if refusal := withheld(agents, agent_id, keys):
            return refusal
        # A file's own dates say when it was copied here: those of loading are no worse.
        metadata = {"created_at_unix_secs": loaded_at, "updated_at_unix_secs": loaded_at}
        return JSONResponse({"agent_id": agent_id, **_complete(agents[agent_id]), "metadata": metadata})

    async def get_widget(request: Request) -> Response:
        agent_id = request.path_params["agent_id"]
        if refusal := unknown(agents, agent_id):
            return refusal
        private = agents[agent_id].platform_settings.auth.enable_auth
        if private and sent_key(request.headers) not in keys and not _signed(request, agent_id, signatures):
            message = "send an API key, or the conversation_signature of a signed URL that is not too old."
            return error(401, "needs_authorization", f"Agent {agent_id} is private: {message}")
        return JSONResponse({"agent_id": agent_id, "widget_config": _widget_config(agents[agent_id])})

    return [
        Route("/v1/convai/agents/{agent_id}", for_key_holders(keys, get_agent), methods=["GET"]),
        Route("/v1/convai/agents/{agent_id}/widget", get_widget, methods=["GET"]),
    ]


def _signed(request: Request, agent_id: str, signatures: Signatures | None) -> bool:
    """To look at the widget uses no signature up: the call comes after it."""
    signature = request.query_params.get("conversation_signature")
    if not signature or signatures is None:
        return False
    try:
        return signatures.read(signature).agent_id == agent_id
    except ClientError:
        return False


def _complete(value: Any) -> Any:
    """A struct as JSON, with all defaults, which msgspec leaves out of these. Of secrets it holds the names alone."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field else {}
        return tag | {field: _complete(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: _complete(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_complete(each) for each in value]
    return value


def _widget_config(agent: Agent) -> dict[str, Any]:
    """The file's `widget` over the defaults. How the agent is, and that there is no WebRTC, it does not say."""
    config = agent.conversation_config
    permitted = dict(leaves(agent.platform_settings.overrides.conversation_config_override))
    presets = {
        language: {"first_message": in_language(agent, language).conversation_config.agent.first_message}
        for language in config.language_presets
    }
    return {
        **_WIDGET,
        "language_presets": presets,
        **agent.platform_settings.widget,
        "language": config.agent.language,
        "supported_language_overrides": list(config.language_presets) if permitted.get("agent.language") else [],
        "first_message": config.agent.first_message,
        "text_only": config.conversation.text_only,
        "supports_text_only": config.conversation.text_only or permitted.get("conversation.text_only", False),
        "use_rtc": False,
    }
