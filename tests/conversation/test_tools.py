import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation import tools
from serve_app.conversation.tools import ClientTool, SystemTool, WebhookTool, text_of
from serve_app.errors import ToolError

TEXT = {"type": "string", "description": "said by the caller"}


def client(*required: str, **properties: Any) -> ClientTool:
    described = {
        "type": "client",
        "name": "book",
        "description": "Books a table.",
        "parameters": {"properties": properties, "required": list(required)},
    }
    return msgspec.convert(described, ClientTool)


def webhook(**api: Any) -> WebhookTool:
    schema = {"url": "https://shop.example/{id}", **api}
    described = {"type": "webhook", "name": "shop", "description": "Asks the shop.", "api_schema": schema}
    return msgspec.convert(described, WebhookTool)


def system(kind: str, description: str = "", **params: Any) -> SystemTool:
    described = {"name": kind, "description": description, "params": {"system_tool_type": kind, **params}}
    return msgspec.convert(described, SystemTool)


# ---- what the model is told


def test_the_model_is_told_what_it_is_to_fill_in_and_nothing_else() -> None:
    tool = client(
        "day",
        "secret",
        day=TEXT,
        people={"type": "integer", "description": "how many"},
        secret={"type": "string", "constant_value": "s3cret"},
        caller={"type": "string", "dynamic_variable": "caller_id"},
        size={"type": "string", "description": "which", "enum": ["small", "large"]},
    )
    spec = tools.spec(tool, ["pt"])
    assert (spec.name, spec.description) == ("book", "Books a table.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "day": {"type": "string", "description": "said by the caller"},
            "people": {"type": "integer", "description": "how many"},
            "size": {"type": "string", "description": "which", "enum": ["small", "large"]},
        },
        "required": ["day"],
    }
    assert "s3cret" not in str(spec)


def test_objects_and_lists_are_told_to_their_depth() -> None:
    item = {"type": "object", "properties": {"name": TEXT, "origin": {"type": "string", "constant_value": "phone"}}}
    tool = client(order={"type": "object", "properties": {"items": {"type": "array", "items": item}}})
    assert tools.spec(tool, []).parameters["properties"] == {
        "order": {
            "type": "object",
            "required": [],
            "properties": {
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": [],
                        "properties": {"name": {"type": "string", "description": "said by the caller"}},
                    },
                }
            },
        }
    }


def test_an_object_of_constants_is_not_the_models_to_give() -> None:
    tool = client("meta", meta={"type": "object", "properties": {"origin": {"type": "string", "constant_value": "x"}}})
    assert tools.spec(tool, []).parameters == {"type": "object", "properties": {}, "required": []}
    assert tools.arguments(tool, "{}", {}) == {"meta": {"origin": "x"}}


def test_a_webhooks_parameters_are_those_of_path_query_and_body() -> None:
    tool = webhook(
        method="POST",
        path_params_schema={"id": TEXT},
        query_params_schema={"properties": {"page": TEXT}, "required": ["page"]},
        request_body_schema={"properties": {"note": TEXT}},
    )
    parameters = tools.spec(tool, []).parameters
    assert list(parameters["properties"]) == ["id", "page", "note"]
    assert parameters["required"] == ["id", "page"]
    assert tool.names_twice() == set()


def test_a_name_in_two_places_is_noticed() -> None:
    tool = webhook(path_params_schema={"id": TEXT}, query_params_schema={"properties": {"id": TEXT, "page": TEXT}})
    assert tool.names_twice() == {"id"}


@pytest.mark.parametrize("kind", ["end_call", "skip_turn", "language_detection"])
def test_a_built_in_tool_describes_itself_unless_the_file_does(kind: str) -> None:
    assert tools.spec(system(kind), ["pt"]).description
    assert tools.spec(system(kind, "Only on Mondays."), ["pt"]).description == "Only on Mondays."


def test_the_languages_are_those_the_agent_has() -> None:
    parameters = tools.spec(system("language_detection"), ["pt", "en"]).parameters
    assert parameters["properties"]["language"]["enum"] == ["pt", "en"]
    assert parameters["required"] == ["language"]


def test_a_transfer_is_chosen_by_number() -> None:
    transfers = [{"agent_id": "a", "condition": "for bills"}, {"agent_id": "b", "condition": "for repairs"}]
    spec = tools.spec(system("transfer_to_agent", transfers=transfers), [])
    assert "0: for bills; 1: for repairs" in spec.description
    assert spec.parameters["properties"]["agent_number"]["enum"] == [0, 1]
    assert "agent_id" not in str(spec)


@pytest.mark.parametrize(
    ("tool", "name"), [(client(), "client"), (webhook(), "webhook"), (system("end_call"), "system")]
)
def test_a_tool_says_what_kind_it_is(tool: tools.Tool, name: str) -> None:
    assert tools.kind(tool) == name


@pytest.mark.parametrize(
    ("settings", "protected"),
    [
        ({}, False),
        ({"disable_interruptions": True}, True),
        ({"interruption_mode": "disable_during_tool"}, True),
        ({"interruption_mode": "disable_during_tool_and_turn"}, True),
    ],
)
def test_a_tool_may_be_protected_from_interruptions(settings: dict[str, Any], protected: bool) -> None:
    tool = msgspec.convert({"type": "client", "name": "t", "description": "", **settings}, ClientTool)
    assert tool.protected is protected


# ---- what the tool gets


def test_the_tool_gets_the_models_arguments_with_the_files_and_the_conversations() -> None:
    tool = client(
        "day",
        day=TEXT,
        note=TEXT,
        origin={"type": "string", "constant_value": "phone"},
        vip={"type": "boolean", "constant_value": False},
        caller={"type": "string", "dynamic_variable": "caller_id"},
    )
    assert tools.arguments(tool, '{"day":"Monday"}', {"caller_id": "+55"}) == {
        "day": "Monday",
        "origin": "phone",
        "vip": False,
        "caller": "+55",
    }


@pytest.mark.parametrize("empty", ["", None])
def test_elevenlabs_empty_constant_is_none(empty: str | None) -> None:
    tool = client(day={**TEXT, "constant_value": empty})
    assert tools.arguments(tool, '{"day":"Monday"}', {}) == {"day": "Monday"}


def test_the_model_cannot_set_what_is_not_its_to_set() -> None:
    tool = client(
        day=TEXT,
        origin={"type": "string", "constant_value": "phone"},
        caller={"type": "string", "dynamic_variable": "caller_id"},
        order={"type": "object", "properties": {"size": TEXT, "price": {"type": "integer", "constant_value": 9}}},
        items={
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": TEXT, "price": {"type": "integer", "constant_value": 9}},
            },
        },
    )
    forged = {
        "origin": "admin",
        "caller": "+1",
        "order": {"size": "small", "price": 0, "free": True},
        "items": [{"name": "tea", "price": 0}, {"name": "cake", "free": True}],
        "made_up": 1,
    }
    assert tools.arguments(tool, json.dumps(forged), {"caller_id": "+55"}) == {
        "origin": "phone",
        "caller": "+55",
        "order": {"size": "small", "price": 9},
        "items": [{"name": "tea", "price": 9}, {"name": "cake", "price": 9}],
    }


def test_an_object_without_properties_is_free() -> None:
    tool = client(any={"type": "object", "description": "whatever"}, list={"type": "array", "description": "these"})
    given = {"any": {"a": [1]}, "list": [1, {"b": 2}]}
    assert tools.arguments(tool, json.dumps(given), {}) == given


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("{}", "'day' is a required property"),
        ('{"day": 5}', r"\$\.day: 5 is not of type 'string'"),
        ('{"day": "x", "size": "huge"}', r"\$\.size: 'huge' is not one of"),
        ('{"day": "x"', "not a JSON object"),
        ('["x"]', "not a JSON object"),
        ("null", "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"day": "\\ud800"}', "not a JSON object"),
    ],
)
def test_the_model_is_told_what_is_wrong_with_its_arguments(written: str, complaint: str) -> None:
    tool = client("day", day=TEXT, size={**TEXT, "enum": ["small", "large"]})
    with pytest.raises(ToolError, match=f"^invalid arguments: .*{complaint}"):
        tools.arguments(tool, written, {})


def test_nothing_is_no_arguments() -> None:
    assert tools.arguments(client(day=TEXT), "", {}) == {}
    assert tools.decoded("") == {}


# ---- any schema, any arguments


LITERAL = st.sampled_from(
    [
        TEXT,
        {"type": "integer", "description": "n"},
        {"type": "boolean", "description": "b"},
        {"type": "string", "constant_value": "CONSTANT"},
        {"type": "string", "dynamic_variable": "VARIABLE"},
    ]
)
PROPERTY = st.recursive(
    LITERAL,
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(
            lambda properties: {"type": "object", "properties": properties},
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
        )
    ),
    max_leaves=5,
)
JSON = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=6,
)


@given(properties=st.dictionaries(st.sampled_from("abc"), PROPERTY, max_size=3), given_by_model=JSON)
def test_whatever_the_model_writes_the_tool_gets_what_its_schema_says(
    properties: dict[str, Any], given_by_model: Any
) -> None:
    tool = client(**properties)
    try:
        complete = tools.arguments(tool, json.dumps(given_by_model), {"VARIABLE": "V"})
    except ToolError:
        return
    for name, prop in properties.items():
        check(prop, complete.get(name), there=name in complete)
    assert complete.keys() <= properties.keys()


def check(prop: dict[str, Any], value: Any, *, there: bool) -> None:
    if "constant_value" in prop:
        assert value == "CONSTANT"
    elif "dynamic_variable" in prop:
        assert value == "V"
    elif there:
        jsonschema.validate(value, {"type": prop["type"]})
        if prop["type"] == "object":
            assert value.keys() <= prop["properties"].keys()
            for name, inner in prop["properties"].items():
                check(inner, value.get(name), there=name in value)


@pytest.mark.parametrize(("arguments", "text"), [({"x": " a "}, "a"), ({"x": 5}, ""), ({"x": None}, ""), ({}, "")])
def test_a_text_argument_is_a_text(arguments: dict[str, Any], text: str) -> None:
    assert text_of(arguments, "x") == text
