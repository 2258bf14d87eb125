"""The query of a listing -> filters. What cannot be filtered by here is an error: a listing that ignores a filter shows
what was not asked for."""

from typing import Any

import msgspec
from starlette.datastructures import QueryParams

from serve_app.errors import ClientError
from serve_app.store.filters import Filters

_ANALYSIS = "calls are not analysed here"
_BRANCHES = "there are no branches or versions of agents here"
_GUARDRAILS = "conversations are not filed by guardrails: see triggered_guardrails of their transcripts"
_PHONES = "there is no telephone network here"
_PROCEDURES = "there are no workflows and no procedures here"
_TAGS = "conversations have no tags and no topics here"
_TOOL_IDS = "tools have no ids here: filter by their names"

UNSERVED = {
    **dict.fromkeys(("evaluation_params", "evaluation_criteria_ids"), _ANALYSIS),
    **dict.fromkeys(("data_collection_params", "data_collection_filter", "data_collection_ids"), _ANALYSIS),
    **dict.fromkeys(("branch_id", "version_id", "visited_agent_branch_ids"), _BRANCHES),
    **dict.fromkeys(("guardrail_types", "custom_guardrail_names"), _GUARDRAILS),
    **dict.fromkeys(("phone_number_ids", "whatsapp_phone_number_ids"), _PHONES),
    **dict.fromkeys(("triggered_procedure_ids", "workflow_node_entered_id"), _PROCEDURES),
    **dict.fromkeys(("tag_ids", "topic_ids"), _TAGS),
    **dict.fromkeys(("tool_ids", "tool_ids_successful", "tool_ids_errored"), _TOOL_IDS),
    "parent_conversation_id": "agents have no subagents here",
}
"""ElevenLabs' filters that nothing here could fit, each with the reason."""

_LISTS = {
    field.name for field in msgspec.structs.fields(Filters) if field.default == ()
}  # the client repeats the parameter for each value


def filters_of(query: QueryParams) -> Filters:
    """Raises ClientError; its text says which one, and why."""
    given: dict[str, Any] = {}
    for name, value in query.multi_items():
        if name in UNSERVED:
            raise ClientError(f"{name} cannot be filtered by: {UNSERVED[name]}")
        if name in _LISTS:
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    try:
        return msgspec.convert(given, Filters, strict=False)
    except msgspec.ValidationError as e:
        raise ClientError(str(e)) from e
