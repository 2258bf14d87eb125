from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.agent import Agent
from serve_app.conversation.dynamic_variables import Value, fill, filled, known, names, written
from serve_app.errors import MissingVariable

SYSTEM: dict[str, Value] = {"system__conversation_id": "conv_1"}


def agent(persona: dict[str, Any] | None = None, turn: dict[str, Any] | None = None, **prompt: Any) -> Agent:
    config = {"agent": {**(persona or {}), "prompt": prompt}, "turn": turn or {}}
    return msgspec.convert({"name": "Ana", "conversation_config": config}, Agent)


def webhook(**api: Any) -> dict[str, Any]:
    schema = {"url": "https://shop.example/orders", **api}
    return {"type": "webhook", "name": "shop", "description": "Asks the shop.", "api_schema": schema}


# ---- texts


def test_a_variable_stands_between_two_braces() -> None:
    assert names("{{a}} {{ b_1 }} {c} {{d-e}} {{2}} {{ }}") == {"a", "b_1"}
    assert fill("{{a}}{{ b_1 }} {c}", {"a": "x", "b_1": 2}) == "x2 {c}"


@pytest.mark.parametrize(("value", "text"), [("é", "é"), (3, "3"), (1.5, "1.5"), (True, "true"), (False, "false")])
def test_values_are_written_as_in_json(value: Value, text: str) -> None:
    assert written(value) == text


@given(st.text())
def test_what_a_value_holds_is_no_variable_itself(value: str) -> None:
    assert fill("<{{a}}>", {"a": value, "b": "secret"}) == f"<{value}>"
    assert fill("<{{a}}>", {"a": "{{b}}", "b": "secret"}) == "<{{b}}>"


# ---- which there are


def test_the_client_is_over_the_file_and_the_server_over_both() -> None:
    plain = agent({"dynamic_variables": {"dynamic_variable_placeholders": {"a": "file", "b": "file"}}})
    forged = {"b": "client", "c": "client", "system__conversation_id": "forged"}
    assert known(plain, forged, SYSTEM) == {"a": "file", "b": "client", "c": "client", **SYSTEM}


@pytest.mark.parametrize(
    "needy",
    [
        agent(prompt="You serve {{who}}."),
        agent({"first_message": "Hi {{who}}."}),
        agent({"max_conversation_duration_message": "Bye {{who}}."}),
        agent(turn={"soft_timeout_config": {"message": "Well, {{who}}..."}}),
        agent(turn={"soft_timeout_config": {"additional_soft_timeout_messages": ["Still, {{who}}..."]}}),
        agent(tools=[{"type": "client", "name": "t", "description": "For {{who}}."}]),
        agent(
            tools=[
                {
                    "type": "client",
                    "name": "t",
                    "description": "",
                    "parameters": {"properties": {"a": {"type": "string", "dynamic_variable": "who"}}},
                }
            ]
        ),
        agent(tools=[webhook(url="https://shop.example/{{who}}")]),
        agent(tools=[webhook(request_headers={"x-who": {"variable_name": "who"}})]),
        agent(
            tools=[webhook(query_params_schema={"properties": {"a": {"type": "string", "dynamic_variable": "who"}}})]
        ),
        agent(
            tools=[
                webhook(
                    method="POST",
                    request_body_schema={
                        "properties": {
                            "list": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "properties": {"a": {"type": "string", "dynamic_variable": "who"}},
                                },
                            }
                        }
                    },
                )
            ]
        ),
        agent(
            built_in_tools={
                "transfer_to_agent": {
                    "name": "transfer_to_agent",
                    "params": {
                        "system_tool_type": "transfer_to_agent",
                        "transfers": [{"agent_id": "b", "condition": "if {{who}} asks"}],
                    },
                }
            }
        ),
        agent(
            built_in_tools={
                "end_call": {
                    "name": "end_call",
                    "description": "When {{who}} is done.",
                    "params": {"system_tool_type": "end_call"},
                }
            }
        ),
    ],
)
def test_a_variable_that_is_needed_anywhere_must_be_given(needy: Agent) -> None:
    with pytest.raises(MissingVariable, match="missing dynamic variables: who") as missing:
        known(needy, {"whom": "else"}, SYSTEM)
    assert (missing.value.close_code, missing.value.error_type) == (1008, "missing_dynamic_variable")
    assert known(needy, {"who": "Rui"}, SYSTEM) == {"who": "Rui", **SYSTEM}


def test_all_that_are_missing_are_named_in_order() -> None:
    with pytest.raises(MissingVariable, match="b, d"):
        known(agent(prompt="{{d}} {{b}} {{c}}"), {"c": 1}, SYSTEM)


# ---- filled in


def test_every_text_is_filled_in() -> None:
    transfer = {"agent_id": "b", "condition": "{{who}} asks", "transfer_message": "One moment, {{who}}."}
    plain = agent(
        {"first_message": "Hi {{who}}.", "max_conversation_duration_message": "Bye {{who}}."},
        {"soft_timeout_config": {"message": "Well, {{who}}...", "additional_soft_timeout_messages": ["{{who}}?"]}},
        prompt="You serve {{who}}.",
        tools=[
            {"type": "client", "name": "t", "description": "For {{who}}."},
            webhook(url="https://x.example/{{who}}"),
        ],
        built_in_tools={
            "transfer_to_agent": {
                "name": "transfer_to_agent",
                "params": {"system_tool_type": "transfer_to_agent", "transfers": [transfer]},
            }
        },
    )
    written = msgspec.json.encode(filled(plain, {"who": "Rui"})).decode()
    assert written.count("Rui") == 8
    assert written.count("{{who}}") == 1  # the address, which is filled in when the tool is called
    assert "https://x.example/{{who}}" in written


def test_an_agent_without_variables_stays_as_it_is() -> None:
    plain = agent({"first_message": "Hi."}, prompt="Be brief.", tools=[webhook()])
    assert filled(plain, {}) == plain
