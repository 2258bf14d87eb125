"""Agents of the right shape that cannot work: each mistake is named, with its field, before a caller meets it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serve_app.agent_checks import CLIENT_EVENTS, problems
from serve_app.conversation.agent import Agent
from serve_app.conversation.overrides import OVERRIDABLE
from serve_app.conversation.server_messages import SERVER_MESSAGES
from tests.conversation.override_samples import nested

RECORDED = Path(__file__).parents[2] / "shared/protocol/messages.json"

TEXT = {"type": "string", "description": "said by the caller"}
CONSTANT = {"type": "string", "constant_value": "x"}
PROMPT = "conversation_config.agent.prompt"
API = f"{PROMPT}.tools[0].api_schema"


def found(config: dict[str, Any] | None = None, platform: dict[str, Any] | None = None, **environ: str) -> list[str]:
    described = {"name": "Ana", "conversation_config": config or {}, "platform_settings": platform or {}}
    return list(problems(msgspec.convert(described, Agent), environ))


def in_prompt(**prompt: Any) -> list[str]:
    return found({"agent": {"prompt": prompt}})


def webhook(**api: Any) -> list[str]:
    schema = {"url": "https://shop.example/orders", **api}
    return in_prompt(tools=[{"type": "webhook", "name": "shop", "description": "", "api_schema": schema}])


def client(name: str = "book", required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    parameters = {"properties": properties, "required": list(required)}
    return {"type": "client", "name": name, "description": "", "parameters": parameters}


def system(key: str, name: str | None = None, kind: str | None = None, **params: Any) -> dict[str, Any]:
    return {key: {"name": name or key, "params": {"system_tool_type": kind or key, **params}}}


def test_a_plain_agent_has_no_problems() -> None:
    assert found() == []


# ---- formats, events, languages


@pytest.mark.parametrize("path", ["asr.user_input_audio_format", "tts.agent_output_audio_format"])
def test_a_format_is_one_of_seven(path: str) -> None:
    section, _, field = path.partition(".")
    [problem] = found({section: {field: "pcm_11025"}})
    assert problem.startswith(f"conversation_config.{path}: audio format 'pcm_11025'")
    for name in ("pcm_8000", "pcm_16000", "pcm_22050", "pcm_24000", "pcm_44100", "pcm_48000", "ulaw_8000"):
        assert name in problem
        assert found({section: {field: name}}) == []


def test_an_unknown_event_is_named_with_the_one_that_may_be_meant() -> None:
    [problem] = found({"conversation": {"client_events": ["audio", "interuption"]}})
    assert problem == (
        "conversation_config.conversation.client_events: there is no 'interuption' (did you mean 'interruption'?)"
    )
    assert found({"conversation": {"client_events": sorted(CLIENT_EVENTS)}}) == []


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded messages here")
def test_the_events_are_those_of_the_protocol() -> None:
    events = json.loads(RECORDED.read_text())["events"]
    assert {event["type"] for event in events if event["direction"] == "server_to_client"} == CLIENT_EVENTS


def test_what_is_sent_may_be_listed() -> None:
    assert SERVER_MESSAGES.keys() <= CLIENT_EVENTS


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"agent": {"language": "xx"}}, "agent.language: 'xx' is none that can be recognised"),
        ({"language_presets": {"xx": {}}}, "language_presets.xx: none that can be recognised"),
        ({"language_presets": {"pt": {}}}, "language_presets.pt: is the agent's own language"),
        (
            {"language_presets": {"en": {"overrides": {"tts": {"agent_output_audio_format": "ulaw_8000"}}}, "es": {}}},
            "language_presets.en.overrides: tts.agent_output_audio_format: cannot be overridden",
        ),
        (
            {"language_presets": {"es": {}, "en": {"overrides": {"tts": {"speed": 9}}}}},
            "language_presets.en.overrides: invalid override: Expected `float` <= 1.2 - at `$.tts.speed`",
        ),
    ],
)
def test_a_language_must_be_one_and_its_preset_fit(config: dict[str, Any], problem: str) -> None:
    [told] = found(config)
    assert told.startswith(f"conversation_config.{problem}")


@pytest.mark.parametrize("language", ["pt-br", "en", "yue"])
def test_a_language_may_name_a_country(language: str) -> None:
    assert found({"agent": {"language": language}}) == []


# ---- tools


def test_every_tool_has_a_name_of_its_own() -> None:
    [twice, taken] = in_prompt(tools=[client("book"), client("book"), client("end_call")])
    assert twice.startswith(f"{PROMPT}.tools: the name 'book' is taken")
    assert taken.startswith(f"{PROMPT}.tools: the name 'end_call' is taken")


def test_tool_ids_are_names_of_tools() -> None:
    [problem] = in_prompt(tools=[client("book")], tool_ids=["book", "bock"])
    assert problem.startswith(f"{PROMPT}.tool_ids: there is no tool 'bock' (did you mean 'book'?)")


def test_a_built_in_tool_is_what_its_key_says() -> None:
    assert in_prompt(built_in_tools=system("end_call")) == []
    assert in_prompt(built_in_tools=system("end_call", name="skip_turn")) == [
        f"{PROMPT}.built_in_tools.end_call.name: must be end_call"
    ]
    assert in_prompt(built_in_tools=system("end_call", kind="skip_turn")) == [
        f"{PROMPT}.built_in_tools.end_call.params.system_tool_type: must be end_call"
    ]


def test_a_model_of_ones_own_must_be_described() -> None:
    assert in_prompt(llm="custom-llm") == [f"{PROMPT}.custom_llm: is missing, and llm names it"]
    assert in_prompt(llm="custom-llm", custom_llm={"url": "https://models.example/v1"}) == []
    assert in_prompt(custom_llm={"url": "https://models.example:many/v1"}) == [
        f"{PROMPT}.custom_llm.url: is no address"
    ]


@pytest.mark.parametrize(
    ("prop", "problem"),
    [
        ({**TEXT, "constant_value": "x"}, "a value comes from one of description, dynamic_variable and constant_value"),
        ({**TEXT, "dynamic_variable": "x"}, "a value comes from one of"),
        ({"type": "string", "dynamic_variable": "x", "constant_value": "y"}, "a value comes from one of"),
        ({"type": "integer", "constant_value": "many"}, "constant_value: is no integer"),
        ({"type": "string", "constant_value": 5}, "constant_value: is no string"),
        ({"type": "string", "properties": {"a": TEXT}}, "properties: are for type object"),
        ({"type": "object", "items": TEXT}, "items: are for type array"),
        ({"type": "array", "items": {"type": "string", "constant_value": "x"}}, "items: come from the model"),
        ({"type": "object", "properties": {"b": TEXT}, "required": ["c"]}, "required: there is no 'c'"),
        ({"type": "object", "properties": {"b": {**TEXT, "constant_value": "x"}}}, "b: a value comes from one of"),
        ({"type": "array", "items": {"type": "object", "required": ["c"]}}, "items.required: there is no 'c'"),
    ],
)
def test_a_parameter_has_one_source_and_the_right_shape(prop: dict[str, Any], problem: str) -> None:
    path = f"{PROMPT}.tools[0].parameters.when"
    [told] = in_prompt(tools=[client(when=prop)])
    assert told.startswith(path)
    assert told.removeprefix(path).lstrip(".: ").startswith(problem)


@pytest.mark.parametrize(
    "prop",
    [
        {**TEXT, "constant_value": "", "dynamic_variable": ""},
        {"type": "number", "constant_value": 1},
        {"type": "boolean", "constant_value": False},
        {"type": "object", "constant_value": {"a": [1]}},
        {"type": "array"},
        {"type": "object", "description": "a place", "properties": {"city": TEXT}, "required": ["city"]},
        {"type": "array", "items": {"type": "object", "properties": {"a": TEXT, "b": CONSTANT}}},
    ],
)
def test_a_good_parameter_is_let_be(prop: dict[str, Any]) -> None:
    assert in_prompt(tools=[client(required=("when",), when=prop)]) == []


def test_what_is_required_is_there() -> None:
    [problem] = in_prompt(tools=[client(required=("wehn",), when=TEXT)])
    assert problem == f"{PROMPT}.tools[0].parameters.required: there is no 'wehn' (did you mean 'when'?)"


# ---- webhooks


QUERY = {"properties": {"id": TEXT}}


@pytest.mark.parametrize(
    ("api", "problem"),
    [
        ({"url": "https://shop.example/{id}"}, ".path_params_schema: id of the url is missing"),
        ({"path_params_schema": {"id": TEXT}}, ".path_params_schema: id is not in the url"),
        ({"url": "https://{{host}}/x"}, ".url: the host must be written out"),
        ({"url": "https://shop.example:{{port}}/x"}, ".url: the host must be written out"),
        ({"url": "https://u:{{password}}@shop.example/x"}, ".url: the host must be written out"),
        ({"url": "https://shop.example?k={{k}"}, ".url: a brace is left over"),
        ({"url": "https://shop.example/{a b}"}, ".url: a brace is left over"),
        ({"url": "https://shop.example:port/"}, ".url: is no address"),
        ({"url": "https://:80/"}, ".url: is no address"),
        ({"request_headers": {"x y": "a"}}, ".request_headers.x y: is no name of a header"),
        ({"request_headers": {"": "a"}}, ".request_headers.: is no name of a header"),
        ({"request_headers": {"x": {}}}, ".request_headers.x: give either a secret_id or a variable_name"),
        ({"request_headers": {"x": {"secret_id": "K", "variable_name": "v"}}}, ".request_headers.x: give either"),
        ({"request_headers": {"x": "Bearer {{token}}"}}, ".request_headers.x: is sent as it is"),
        ({"request_headers": {"x": "a\r\nb: c"}}, ".request_headers.x: is sent as it is"),
        ({"request_body_schema": QUERY}, ".request_body_schema: a GET has no body"),
        ({"method": "DELETE", "request_body_schema": QUERY}, ".request_body_schema: a DELETE has no body"),
        (
            {"method": "POST", "query_params_schema": QUERY, "request_body_schema": QUERY},
            ": the parameter 'id' stands twice",
        ),
        ({"query_params_schema": {"properties": {"ids": {"type": "array"}}}}, ": ids is of type array"),
        ({"query_params_schema": {"required": ["ids"]}}, ".query_params_schema.required: there is no 'ids'"),
        (
            {"method": "POST", "request_body_schema": {"properties": {"a": {**TEXT, "constant_value": "x"}}}},
            ".request_body_schema.a: a value comes from one of",
        ),
        (
            {"url": "https://shop.example/{id}", "path_params_schema": {"id": {**TEXT, "constant_value": "x"}}},
            ".path_params_schema.id: a value comes from one of",
        ),
    ],
)
def test_a_webhook_must_make_a_request(api: dict[str, Any], problem: str) -> None:
    problems = webhook(**api)
    assert problems[0].startswith(f"{API}{problem}")


def test_a_good_webhook_is_let_be() -> None:
    schema = {
        "url": "https://shop.example/{{tenant}}/orders/{order_id}?v={{version}}",
        "method": "POST",
        "path_params_schema": {"order_id": TEXT},
        "query_params_schema": {"properties": {"page": {"type": "integer", "description": "which"}}},
        "request_body_schema": {"properties": {"note": TEXT, "tags": {"type": "array", "items": TEXT}}},
        "request_headers": {"Authorization": {"secret_id": "KEY"}, "x-caller": {"variable_name": "caller"}, "x": "y"},
    }
    tool = {"type": "webhook", "name": "shop", "description": "", "api_schema": schema}
    assert found({"agent": {"prompt": {"tools": [tool]}}}, KEY="k") == []


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_secret_must_be_in_the_environment(value: str | None) -> None:
    headers = {"x": {"secret_id": "SHOP_KEY"}}
    schema = {"url": "https://shop.example/", "request_headers": headers}
    tool = {"type": "webhook", "name": "shop", "description": "", "api_schema": schema}
    environ = {} if value is None else {"SHOP_KEY": value}
    [problem] = found({"agent": {"prompt": {"tools": [tool]}}}, None, **environ)
    assert problem.startswith("the secret SHOP_KEY is not set")


# ---- permissions


def permissions(tree: dict[str, Any]) -> list[str]:
    return found(platform={"overrides": {"conversation_config_override": tree}})


@pytest.mark.parametrize("path", sorted(OVERRIDABLE))
@pytest.mark.parametrize("permitted", [True, False])
def test_every_override_may_be_permitted(path: str, permitted: bool) -> None:
    assert permissions(nested(path, permitted)) == []


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ({"agent": {"first_mesage": True}}, "agent.first_mesage: cannot be overridden (did you mean 'agent.first"),
        ({"agent": {"first_mesage": False}}, "agent.first_mesage: cannot be overridden"),
        ({"agent": True}, "agent: cannot be overridden"),
        ({"agent": {"prompt": {"knowledge_base": True}}}, "agent.prompt.knowledge_base: cannot be overridden"),
        ({"agent": {"first_message": "yes"}}, "agent.first_message: must be true or false"),
        ({"agent": {"first_message": None}}, "agent.first_message: must be true or false"),
        ({"agent": {"first_message": [True]}}, "agent.first_message: must be true or false"),
    ],
)
def test_a_permission_is_true_or_false_for_what_there_is(tree: dict[str, Any], problem: str) -> None:
    [told] = permissions(tree)
    assert told.startswith(f"platform_settings.overrides.conversation_config_override.{problem}")


def test_what_is_not_served_may_stay_forbidden() -> None:
    assert permissions({"agent": {"prompt": {"knowledge_base": False}}, "tts": {"supported_voices": False}}) == []


def test_a_variable_of_ours_must_be_one_there_is() -> None:
    assert found({"agent": {"first_message": "{{system__conversation_id}} {{customer}}"}}) == []
    [problem] = found({"agent": {"first_message": "{{system__caller_id}}"}})
    assert problem.startswith("{{system__caller_id}}: ")
    assert "system__time_utc" in problem


TRANSFER = {"agent_id": "rui", "condition": "{{a b}}", "transfer_message": "One {{moment"}


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"agent": {"prompt": {"prompt": "Of {{store-id}}."}}}, "agent.prompt.prompt: '{{store-id}}' is no variable"),
        ({"agent": {"first_message": "Hi {{name}, {{other}}"}}, "agent.first_message: '{{name' is no variable"),
        ({"agent": {"first_message": "Hi {{ {{name}}"}}, "agent.first_message: '{{ ' is no variable"),
        ({"agent": {"first_message": "Hi {{}}"}}, "agent.first_message: '{{}}' is no variable"),
        ({"agent": {"first_message": "Hi {{{"}}, "agent.first_message: '{{' is no variable"),
        (
            {"agent": {"max_conversation_duration_message": "{{1}}"}},
            "agent.max_conversation_duration_message: '{{1}}' is no variable",
        ),
        (
            {"turn": {"soft_timeout_config": {"message": "{{a.b}}"}}},
            "turn.soft_timeout_config.message: '{{a.b}}' is no variable",
        ),
        (
            {"turn": {"soft_timeout_config": {"additional_soft_timeout_messages": ["", "{{a.b}}"]}}},
            "turn.soft_timeout_config.additional_soft_timeout_messages: '{{a.b}}' is no variable",
        ),
        (
            {"agent": {"prompt": {"tools": [{**client(), "description": "{{x y}}"}]}}},
            "agent.prompt.tools[0].description: '{{x y}}' is no variable",
        ),
        (
            {
                "agent": {
                    "prompt": {"built_in_tools": {"end_call": {**system("end_call")["end_call"], "description": "{{"}}}
                }
            },
            "agent.prompt.built_in_tools.end_call.description: '{{' is no variable",
        ),
        (
            {"language_presets": {"en": {"first_message_translation": {"text": "{{x-y}}"}}}},
            "language_presets.en.agent.first_message: '{{x-y}}' is no variable",
        ),
    ],
)
def test_what_looks_like_a_variable_is_one(config: dict[str, Any], problem: str) -> None:
    [told] = found(config)
    assert told.startswith(f"conversation_config.{problem}: write {{{{name}}}}")


def test_so_in_transfers() -> None:
    one, other = in_prompt(built_in_tools=system("transfer_to_agent", transfers=[TRANSFER]))
    path = f"{PROMPT}.built_in_tools.transfer_to_agent.params.transfers"
    assert one.startswith(f"{path}.condition: '{{{{a b}}}}'")
    assert other.startswith(f"{path}.transfer_message: '{{{{moment'")


def test_a_mistake_of_the_agents_own_is_told_once_whatever_its_presets() -> None:
    assert len(found({"agent": {"first_message": "{{x-y}}"}, "language_presets": {"en": {}, "es": {}}})) == 1


@pytest.mark.parametrize("text", ["{{name}} {{ _x1 }}", "{{{name}}}", '{"a": {"b": {}}}', "{x-y}", "}} {"])
def test_other_braces_are_text(text: str) -> None:
    assert found({"agent": {"first_message": text}}) == []


# ---- privacy


def test_personal_data_that_nobody_finds_are_not_promised_to_be_redacted() -> None:
    def asking_for(*entities: str) -> list[str]:
        redaction = {"enabled": True, "entities": list(entities)}
        return found(platform={"privacy": {"conversation_history_redaction": redaction}})

    path = "platform_settings.privacy.conversation_history_redaction.entities"
    assert asking_for() == asking_for("cpf", "contact_number", "unique_id.government_issued_id") == []
    [problem] = asking_for("medical.medication")
    assert problem.startswith(f"{path}: there is no 'medical.medication'")
    assert "cpf, cnpj, card, phone, email, pix, iban, cep, rg, email_address" in problem


# ---- when a provider fails


@pytest.mark.parametrize(
    "backup", [{"preference": "override"}, {"preference": "default", "order": ["a"]}, {"order": ["a"]}]
)
def test_backup_models_are_named_where_they_are_wanted(backup: dict[str, Any]) -> None:
    [problem] = in_prompt(backup_llm_config=backup)
    assert problem == f"{PROMPT}.backup_llm_config: preference override and order belong together"
    assert in_prompt(backup_llm_config={"preference": "override", "order": ["a"]}) == []


@pytest.mark.parametrize("on_failure", [{"action": "transfer"}, {"action": "end", "agent_id": "rui"}])
def test_who_transfers_says_to_whom(on_failure: dict[str, str]) -> None:
    agent = msgspec.convert({"name": "Ana", "hello": {"on_failure": on_failure}}, Agent)
    assert list(problems(agent, {})) == ["hello.on_failure: action transfer and agent_id belong together"]


@pytest.mark.parametrize("field", ["on_failure", "on_guardrail"])
def test_set_sentences_are_known_beforehand(field: str) -> None:
    agent = msgspec.convert({"name": "Ana", "hello": {field: {"message": "Sinto muito, {{name}}."}}}, Agent)
    [problem] = problems(agent, {})
    assert problem.startswith(f"hello.{field}.message: no variables")
