"""The tools of an agent, in ElevenLabs' shapes, and what of them the language model is told.

A parameter's value comes from one place: the model (it has a description), the file (`constant_value`), or the
conversation (`dynamic_variable`). The model never sees the latter two, and cannot set them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import jsonschema
import msgspec
from msgspec import Meta

from serve_app.errors import ToolError

NAME = r"^[a-zA-Z0-9_-]{1,64}$"
"""What OpenAI-compatible models take as the name of a function."""

SKIP_TURN = "skip_turn"

URL_PLACE = re.compile(r"\{\{\s*(?P<variable>[a-zA-Z_]\w*)\s*\}\}|\{(?P<parameter>[\w-]+)\}")
"""Of a dynamic variable, or of a path parameter."""


class Property(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One value of a JSON schema. See the top of the file for where it comes from."""

    type: Literal["string", "number", "integer", "boolean", "object", "array"]
    description: str = ""
    enum: list[Any] | None = None
    constant_value: Any = None
    dynamic_variable: str = ""
    properties: dict[str, "Property"] = {}
    required: list[str] = []
    items: "Property | None" = None

    @property
    def is_constant(self) -> bool:
        """ElevenLabs writes an empty text, too, where there is none."""
        return self.constant_value not in (None, "")

    @property
    def from_model(self) -> bool:
        """At least in part."""
        if self.is_constant or self.dynamic_variable:
            return False
        return not self.properties or any(prop.from_model for prop in self.properties.values())


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An object's schema: the parameters of a tool, or the body or query of a request."""

    type: Literal["object"] = "object"
    description: str = ""
    properties: dict[str, Property] = {}
    required: list[str] = []


class _Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """`pre_tool_speech` force: the agent says that it is on it if the model did not. off: not even after a while.
    `interruption_mode`: whether the caller may interrupt while the tool runs, and the answer that follows."""

    name: Annotated[str, Meta(pattern=NAME)]
    description: str
    response_timeout_secs: Annotated[int, Meta(ge=1, le=120)] = 20
    disable_interruptions: bool = False
    """ElevenLabs' older word for `interruption_mode: disable_during_tool`."""
    interruption_mode: Literal["allow", "disable_during_tool", "disable_during_tool_and_turn"] = "allow"
    pre_tool_speech: Literal["auto", "force", "off"] = "auto"

    @property
    def protected(self) -> bool:
        """The caller cannot interrupt while it runs."""
        return self.disable_interruptions or self.interruption_mode != "allow"


class ClientTool(_Tool, frozen=True, kw_only=True, tag="client"):
    """Runs at the client, which gets a `client_tool_call`. Without `expects_response` its result is not waited for."""

    parameters: Parameters = Parameters()
    expects_response: bool = False


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value that is in the environment, under this name."""

    secret_id: str


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value that stands elsewhere: `secret_id` in the environment, `variable_name` in the dynamic variables."""

    secret_id: str = ""
    variable_name: str = ""


HeaderValue = str | Reference


class ApiSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request. `{name}` in the URL is a path parameter, `{{name}}` a dynamic variable."""

    url: Annotated[str, Meta(pattern=r"^https?://[^/]+")]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path_params_schema: dict[str, Property] = {}
    query_params_schema: Parameters | None = None
    request_body_schema: Parameters | None = None
    request_headers: dict[str, HeaderValue] = {}


class WebhookTool(_Tool, frozen=True, kw_only=True, tag="webhook"):
    """Runs as an HTTP request of ours; its answer's body is the result."""

    api_schema: ApiSchema

    @property
    def parameters(self) -> Parameters:
        """Path, query and body in one object: names are distinct (checked when the file is loaded)."""
        parts = self._parts()
        properties = {name: prop for part in parts for name, prop in part.properties.items()}
        return Parameters(properties=properties, required=[name for part in parts for name in part.required])

    def names_twice(self) -> set[str]:
        names = [name for part in self._parts() for name in part.properties]
        return {name for name in names if names.count(name) > 1}

    def _parts(self) -> Sequence[Parameters]:
        api = self.api_schema
        path = Parameters(properties=api.path_params_schema, required=list(api.path_params_schema))
        return [path, *(part for part in (api.query_params_schema, api.request_body_schema) if part)]


class AgentTransfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When (in words, for the model) the call goes to which agent, and what is said first."""

    agent_id: str
    condition: str
    transfer_message: str = ""
    enable_transferred_agent_first_message: bool = False


class EndCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="system_tool_type", tag="end_call"):
    pass


class SkipTurn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="system_tool_type", tag="skip_turn"):
    pass


class LanguageDetection(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="system_tool_type", tag="language_detection"
):
    pass


class TransferToAgent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="system_tool_type", tag="transfer_to_agent"
):
    transfers: Annotated[tuple[AgentTransfer, ...], Meta(min_length=1)]


class SystemTool(_Tool, frozen=True, kw_only=True, tag="system"):
    """One of ours. `description` empty: the one that is written below."""

    name: Literal["end_call", "skip_turn", "language_detection", "transfer_to_agent"]
    description: str = ""
    params: EndCall | SkipTurn | LanguageDetection | TransferToAgent


class BuiltInTools(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The system tools, each under its own name; null is without it."""

    end_call: SystemTool | None = None
    skip_turn: SystemTool | None = None
    language_detection: SystemTool | None = None
    transfer_to_agent: SystemTool | None = None

    def all(self) -> dict[str, SystemTool]:
        fields = {field: getattr(self, field) for field in self.__struct_fields__}
        return {field: tool for field, tool in fields.items() if tool}


Tool = ClientTool | WebhookTool | SystemTool


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as the language model is told of it; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolCall(msgspec.Struct, frozen=True):
    """What the model asks for; `arguments` is the JSON text that it wrote."""

    id: str
    name: str
    arguments: str


def kind(tool: Tool) -> str:
    """ElevenLabs' `tool_type`."""
    return str(tool.__struct_config__.tag)


def spec(tool: Tool, languages: Sequence[str]) -> ToolSpec:
    """`languages`: those that the agent can change to."""
    if isinstance(tool, SystemTool):
        return _system_spec(tool, languages)
    return ToolSpec(tool.name, tool.description, _schema(tool.parameters.properties, tool.parameters.required))


def arguments(tool: ClientTool | WebhookTool, written: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments the tool gets: the model's, checked, with the file's and the conversation's.

    Raises ToolError, whose text is for the model.
    """
    parameters = tool.parameters
    given = decoded(written)
    # Not jsonschema.validate: it checks the schema, which is ours, too, and that takes a hundred times as long.
    faults = jsonschema.Draft202012Validator(_schema(parameters.properties, parameters.required)).iter_errors(given)
    if fault := jsonschema.exceptions.best_match(faults):
        raise ToolError(f"invalid arguments: {fault.json_path}: {fault.message}")
    return _completed(parameters.properties, given, variables)


def decoded(written: str) -> dict[str, Any]:
    """The JSON object that the model wrote; nothing is an empty one. Raises ToolError."""
    try:
        return msgspec.json.decode(written or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
        raise ToolError("invalid arguments: not a JSON object") from e


def text_of(arguments: Mapping[str, Any], name: str) -> str:
    """A text among the arguments that a model wrote; empty for anything else."""
    value = arguments.get(name)
    return value.strip() if isinstance(value, str) else ""


def _schema(properties: Mapping[str, Property], required: Sequence[str]) -> dict[str, Any]:
    """The part of a schema that is the model's to fill in."""
    shown = {name: _property_schema(prop) for name, prop in properties.items() if prop.from_model}
    return {"type": "object", "properties": shown, "required": [name for name in required if name in shown]}


def _property_schema(prop: Property) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": prop.type}
    if prop.type == "object":
        schema = _schema(prop.properties, prop.required)
    if prop.type == "array" and prop.items:
        schema["items"] = _property_schema(prop.items)
    if prop.enum:
        schema["enum"] = prop.enum
    if prop.description:
        schema["description"] = prop.description
    return schema


def _completed(
    properties: Mapping[str, Property], given: Mapping[str, Any], variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Only what the file names: a model that makes up a parameter does not get it through."""
    complete: dict[str, Any] = {}
    for name, prop in properties.items():
        if prop.is_constant:
            complete[name] = prop.constant_value
        elif prop.dynamic_variable:
            complete[name] = variables[prop.dynamic_variable]
        elif name in given:
            complete[name] = _completed_value(prop, given[name], variables)
        elif inner := _completed(prop.properties, {}, variables):
            complete[name] = inner
    return complete


def _completed_value(prop: Property, given: Any, variables: Mapping[str, Any]) -> Any:
    if prop.properties:
        return _completed(prop.properties, given, variables)
    if prop.items:
        return [_completed_value(prop.items, item, variables) for item in given]
    return given


_REASON = {"reason": {"type": "string", "description": "Why, in a few words."}}


def _system_spec(tool: SystemTool, languages: Sequence[str]) -> ToolSpec:
    match tool.params:
        case EndCall():
            text = "End the call. Use it when the caller says goodbye, or wants nothing more."
            farewell = {"type": "string", "description": "What to say as goodbye, if you have not said it yet."}
            return _told(tool, text, {**_REASON, "message": farewell})
        case SkipTurn():
            return _told(tool, "Say nothing and wait. Use it when the caller asks for a moment.", _REASON)
        case LanguageDetection():
            text = "Change the language of the conversation. Use it when the caller speaks or asks for another one."
            return _told(tool, text, {**_REASON, "language": {"type": "string", "enum": list(languages)}}, "language")
        case TransferToAgent(transfers):
            whom = "; ".join(f"{number}: {transfer.condition}" for number, transfer in enumerate(transfers))
            number = {"type": "integer", "enum": list(range(len(transfers)))}
            text = f"Transfer the call to another agent, by number. {whom}"
            return _told(tool, text, {**_REASON, "agent_number": number}, "agent_number")


def _told(tool: SystemTool, text: str, properties: dict[str, Any], *required: str) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(tool.name, tool.description or text, schema)
