"""What can be wrong with an agent besides its shape: said when it is loaded, not when a caller finds out."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

import httpx
import jsonschema
from msgspec.structs import replace

from serve_app.audio.pcm import AudioFormat
from serve_app.conversation import overrides
from serve_app.conversation.agent import Agent
from serve_app.conversation.dynamic_variables import SYSTEM, names, needed
from serve_app.conversation.overrides import OVERRIDABLE, leaves
from serve_app.conversation.personal_data import ENTITIES
from serve_app.conversation.server_messages import SERVER_MESSAGES
from serve_app.conversation.tools import (
    URL_PLACE,
    ApiSchema,
    Parameters,
    Property,
    Reference,
    TransferToAgent,
    WebhookTool,
)
from serve_app.conversation.unserved import OVERRIDES, without
from serve_app.errors import OverrideError
from serve_app.providers.whisper_languages import language_code

_NEVER_SENT = (
    "agent_typing",
    "asr_initiation_metadata",
    "client_error",
    "context_usage",
    "dtmf_request",
    "external_agent_connected",
    "external_agent_disconnected",
    "mcp_connection_status",
    "mcp_tool_call",
    "queue_status",
    "rich_content",
)
CLIENT_EVENTS = frozenset(SERVER_MESSAGES).union(_NEVER_SENT)
"""Every message that ElevenLabs' clients know: an agent may list what never happens here."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_WITHOUT_BODY = ("GET", "DELETE")
_PLACE = re.compile(r"\{\{(?!\{)[^{}]*(?:\}\})?")  # meant to be one


def problems(agent: Agent, environ: Mapping[str, str]) -> Iterator[str]:
    """Each names the field, and says what to do."""
    yield from _formats(agent)
    yield from _events(agent)
    yield from _languages(agent)
    yield from _model(agent)
    yield from _tool_names(agent)
    for number, tool in enumerate(agent.conversation_config.agent.prompt.tools):
        path = f"conversation_config.agent.prompt.tools[{number}]"
        if isinstance(tool, WebhookTool):
            yield from _webhook(tool, path)
        else:
            yield from _parameters(tool.parameters, f"{path}.parameters")
    yield from _built_in_tools(agent)
    yield from _permissions(agent)
    yield from _on_failure(agent)
    yield from _redacted_entities(agent)
    yield from _places("conversation_config", _texts(agent))
    for name in sorted(needed(agent)):
        if name.startswith("system__") and name not in SYSTEM:
            yield f"{{{{{name}}}}}: this server gives {', '.join(sorted(SYSTEM))}"
    for name in sorted(agent.secrets):
        if not environ.get(name, "").strip():
            yield f"the secret {name} is not set: put it into the environment of every node"


def transfer_problems(agent_id: str, agents: Mapping[str, Agent]) -> Iterator[str]:
    """A call goes on over the same socket, so the next agent must hear and speak as the one before."""
    agent = agents[agent_id]
    for other_id in sorted(agent.transfers_to):
        if (other := agents.get(other_id)) is None:
            yield f"transfers: there is no agent {other_id!r}{_hint(other_id, agents)}"
        elif differences := [name for name, value in _line(agent).items() if _line(other)[name] != value]:
            yield f"transfers: {other_id} differs in {', '.join(differences)}: a call cannot change these"


def _line(agent: Agent) -> dict[str, object]:
    config = agent.conversation_config
    return {
        "user_input_audio_format": config.asr.user_input_audio_format,
        "agent_output_audio_format": config.tts.agent_output_audio_format,
        "text_only": config.conversation.text_only,
    }


def _formats(agent: Agent) -> Iterator[str]:
    config = agent.conversation_config
    for path, name in {
        "asr.user_input_audio_format": config.asr.user_input_audio_format,
        "tts.agent_output_audio_format": config.tts.agent_output_audio_format,
    }.items():
        try:
            AudioFormat.parse(name)
        except ValueError as e:
            yield f"conversation_config.{path}: {e}"


def _events(agent: Agent) -> Iterator[str]:
    for name in agent.conversation_config.conversation.client_events or ():
        if name not in CLIENT_EVENTS:
            yield f"conversation_config.conversation.client_events: there is no {name!r}{_hint(name, CLIENT_EVENTS)}"


def _languages(agent: Agent) -> Iterator[str]:
    config = agent.conversation_config
    if language_code(config.agent.language) is None:
        yield f"conversation_config.agent.language: {config.agent.language!r} is none that can be recognised"
    for language, preset in config.language_presets.items():
        path = f"conversation_config.language_presets.{language}"
        if language_code(language) is None:
            yield f"{path}: none that can be recognised"
        if language == config.agent.language:
            yield f"{path}: is the agent's own language: set it in agent, tts, ..."
            continue
        alone = replace(agent, conversation_config=replace(config, language_presets={language: preset}))
        try:
            translated = overrides.in_language(alone, language)
        except OverrideError as e:
            yield f"{path}.overrides: {e}"
        else:
            yield from _places(path, set(_texts(translated)).difference(_texts(agent)))


def _texts(agent: Agent) -> Iterator[tuple[str, str]]:
    """Those that variables are filled into, by their paths. A webhook's address has rules of its own."""
    persona, soft = agent.conversation_config.agent, agent.conversation_config.turn.soft_timeout_config
    yield "agent.prompt.prompt", persona.prompt.prompt
    yield "agent.first_message", persona.first_message
    yield "agent.max_conversation_duration_message", persona.max_conversation_duration_message or ""
    yield "turn.soft_timeout_config.message", soft.message
    for message in soft.additional_soft_timeout_messages:
        yield "turn.soft_timeout_config.additional_soft_timeout_messages", message
    for number, tool in enumerate(persona.prompt.tools):
        yield f"agent.prompt.tools[{number}].description", tool.description
    for key, built_in in persona.prompt.built_in_tools.all().items():
        path = f"agent.prompt.built_in_tools.{key}"
        yield f"{path}.description", built_in.description
        for transfer in built_in.params.transfers if isinstance(built_in.params, TransferToAgent) else ():
            yield f"{path}.params.transfers.condition", transfer.condition
            yield f"{path}.params.transfers.transfer_message", transfer.transfer_message


def _places(path: str, texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What looks like a variable, and would be read out as it is."""
    for field, text in sorted(texts):
        for place in _PLACE.findall(text):
            if not names(place):
                yield f"{path}.{field}: {place[:40]!r} is no variable: write {{{{name}}}}, in letters, digits and _"


def _model(agent: Agent) -> Iterator[str]:
    prompt = agent.conversation_config.agent.prompt
    if prompt.llm == "custom-llm" and not prompt.custom_llm:
        yield "conversation_config.agent.prompt.custom_llm: is missing, and llm names it"
    if prompt.custom_llm and not _is_address(prompt.custom_llm.url):
        yield "conversation_config.agent.prompt.custom_llm.url: is no address"

    backup = prompt.backup_llm_config
    if (backup.preference == "override") != bool(backup.order):
        yield "conversation_config.agent.prompt.backup_llm_config: preference override and order belong together"


def _on_failure(agent: Agent) -> Iterator[str]:
    on_failure = agent.hello.on_failure
    if (on_failure.action == "transfer") != bool(on_failure.agent_id):
        yield "hello.on_failure: action transfer and agent_id belong together"
    for field, message in {"on_failure": on_failure.message, "on_guardrail": agent.hello.on_guardrail.message}.items():
        if "{{" in message:
            yield f"hello.{field}.message: no variables here, since its audio is made before anybody calls"


def _redacted_entities(agent: Agent) -> Iterator[str]:
    path = "platform_settings.privacy.conversation_history_redaction.entities"
    for name in agent.platform_settings.privacy.conversation_history_redaction.entities:
        if name not in ENTITIES:
            yield f"{path}: there is no {name!r}{_hint(name, ENTITIES)}; these are found: {', '.join(ENTITIES)}"


def _tool_names(agent: Agent) -> Iterator[str]:
    prompt = agent.conversation_config.agent.prompt
    path = "conversation_config.agent.prompt"
    names = Counter([tool.name for tool in prompt.tools] + list(prompt.built_in_tools.__struct_fields__))
    for name in sorted(name for name, uses in names.items() if uses > 1):
        yield f"{path}.tools: the name {name!r} is taken: every tool needs its own, and built-in tools have theirs"
    for name in prompt.tool_ids or ():
        if name not in {tool.name for tool in prompt.tools}:
            yield f"{path}.tool_ids: there is no tool {name!r}{_hint(name, names)}: they are names of {path}.tools"


def _built_in_tools(agent: Agent) -> Iterator[str]:
    tools = agent.conversation_config.agent.prompt.built_in_tools.all()
    for key, tool in tools.items():
        path = f"conversation_config.agent.prompt.built_in_tools.{key}"
        if tool.name != key:
            yield f"{path}.name: must be {key}"
        if tool.params.__struct_config__.tag != key:
            yield f"{path}.params.system_tool_type: must be {key}"


def _permissions(agent: Agent) -> Iterator[str]:
    permissions = agent.platform_settings.overrides.conversation_config_override
    served = dict(leaves(without(permissions, OVERRIDES)))
    for path, permitted in leaves(permissions):
        where = f"platform_settings.overrides.conversation_config_override.{path}"
        if not isinstance(permitted, bool):
            yield f"{where}: must be true or false"
        elif path not in OVERRIDABLE and (permitted or path in served):
            yield f"{where}: cannot be overridden{_hint(path, OVERRIDABLE)}"


def _webhook(tool: WebhookTool, path: str) -> Iterator[str]:
    for name in sorted(tool.names_twice()):
        yield f"{path}.api_schema: the parameter {name!r} stands twice: path, query and body share their names"
    path, api = f"{path}.api_schema", tool.api_schema
    yield from _address(api, path)
    yield from _headers(api, path)
    yield from _parameters(Parameters(properties=api.path_params_schema), f"{path}.path_params_schema")
    if api.query_params_schema:
        yield from _parameters(api.query_params_schema, f"{path}.query_params_schema")
    if api.request_body_schema:
        yield from _parameters(api.request_body_schema, f"{path}.request_body_schema")
        if api.method in _WITHOUT_BODY:
            yield f"{path}.request_body_schema: a {api.method} has no body: use query_params_schema"
    for name, prop in {**api.path_params_schema, **_properties(api.query_params_schema)}.items():
        if prop.type in ("object", "array"):
            yield f"{path}: {name} is of type {prop.type}, and stands in the address: one value fits there"


def _address(api: ApiSchema, path: str) -> Iterator[str]:
    host = re.match(r"https?://[^/?#]*", api.url)
    if host and "{" in host[0]:
        yield f"{path}.url: the host must be written out: what callers say must not choose it"
    elif not _is_address(URL_PLACE.sub("x", api.url)):
        yield f"{path}.url: is no address"
    if re.search(r"[{}]", URL_PLACE.sub("", api.url)):
        yield f"{path}.url: a brace is left over: write {{name}} or {{{{variable}}}}"
    places = {place["parameter"] for place in URL_PLACE.finditer(api.url) if place["parameter"]}
    if missing := sorted(places - api.path_params_schema.keys()):
        yield f"{path}.path_params_schema: {', '.join(missing)} of the url is missing"
    if unused := sorted(api.path_params_schema.keys() - places):
        yield f"{path}.path_params_schema: {', '.join(unused)} is not in the url"


def _headers(api: ApiSchema, path: str) -> Iterator[str]:
    for name, value in api.request_headers.items():
        where = f"{path}.request_headers.{name}"
        if not _HEADER_NAME.fullmatch(name):
            yield f"{where}: is no name of a header"
        if isinstance(value, Reference) and bool(value.secret_id) == bool(value.variable_name):
            yield f"{where}: give either a secret_id or a variable_name"
        if isinstance(value, str) and re.search(r"\{\{|[\x00-\x1f\x7f]", value):
            yield f"{where}: is sent as it is, in one line: for a variable give variable_name"


def _parameters(parameters: Parameters, path: str) -> Iterator[str]:
    yield from _required(parameters, path)
    for name, prop in parameters.properties.items():
        yield from _property(prop, f"{path}.{name}")


def _property(prop: Property, path: str) -> Iterator[str]:
    if sum((bool(prop.description), bool(prop.dynamic_variable), prop.is_constant)) > 1:
        yield f"{path}: a value comes from one of description, dynamic_variable and constant_value"
    if prop.is_constant and not jsonschema.Draft202012Validator({"type": prop.type}).is_valid(prop.constant_value):
        yield f"{path}.constant_value: is no {prop.type}"
    if prop.properties and prop.type != "object":
        yield f"{path}.properties: are for type object"
    if prop.items and prop.type != "array":
        yield f"{path}.items: are for type array"
    if prop.items and not prop.items.from_model:
        yield f"{path}.items: come from the model"
    yield from _required(prop, path)
    for name, inner in prop.properties.items():
        yield from _property(inner, f"{path}.{name}")
    if prop.items:
        yield from _property(prop.items, f"{path}.items")


def _required(schema: Parameters | Property, path: str) -> Iterator[str]:
    for name in schema.required:
        if name not in schema.properties:
            yield f"{path}.required: there is no {name!r}{_hint(name, schema.properties)}"


def _properties(parameters: Parameters | None) -> Mapping[str, Property]:
    return parameters.properties if parameters else {}


def _is_address(url: str) -> bool:
    try:
        return bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
