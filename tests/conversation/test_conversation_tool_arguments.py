"""Calls in which the model uses tools: what it may set, and what it is told when it got that wrong."""

import json

import pytest

from serve_app.conversation.client_messages import ConversationInitiation
from serve_app.conversation.server_messages import AgentToolRequest, ClientToolCall
from serve_app.conversation.tools import ToolCall
from tests.conversation.score import conversation_of
from tests.conversation.toolkit import (
    DOOR,
    READY,
    answers,
    asked,
    asks,
    client,
    outcomes,
    results,
    taking,
    webhook,
)


@pytest.mark.parametrize(
    "written", ["", "{", "[]", '"da frente"', "{}", '{"porta":null}', '{"porta":7}', '{"Porta":"x"}']
)
def test_arguments_that_do_not_fit_are_told_to_the_model_which_may_try_again(written: str) -> None:
    call = asked(
        [ToolCall("a", "abrir", written)], [asks("abrir", "b", porta="da frente")], READY, tool=client(parameters=DOOR)
    )
    assert outcomes(call) == [("abrir", True, False)]
    assert "invalid arguments" in results(conversation_of(call))["a"]
    [told] = call.messages(ClientToolCall)
    assert told.tool_call_id == "b"
    answers(call, "aberta", "b")
    call.silence(2)
    assert call.outline()[-2:] == ["agent: Pronto.", "audio"]


def test_a_tool_that_is_not_there_is_told_to_the_model() -> None:
    call = asked([asks("explodir")], READY)
    call.silence(2)
    assert outcomes(call) == [("explodir", True, False)]
    assert "explodir" in results(conversation_of(call))["call_1"]
    assert call.messages(AgentToolRequest)[0].tool_type == "unknown"
    assert call.messages(ClientToolCall) == []
    assert call.outline()[-2:] == ["agent: Pronto.", "audio"]


def test_one_bad_call_does_not_spoil_the_other() -> None:
    call = asked([asks("explodir", "a"), asks("abrir", "b")], READY)
    answers(call, "aberta", "b")
    call.silence(1)
    assert results(conversation_of(call))["b"] == "aberta"
    assert outcomes(call) == [("explodir", True, False), ("abrir", False, True)]


def test_what_the_file_or_the_conversation_sets_is_not_the_models_to_set() -> None:
    parameters = taking(
        porta={"type": "string", "description": "Qual porta"},
        senha={"type": "string", "constant_value": "1234"},
        dono={"type": "string", "dynamic_variable": "nome"},
    )
    call = asked(
        [asks("abrir", porta="da frente", senha="0000", dono="Eva", extra=1)],
        READY,
        tool=client(parameters=parameters),
        initiation=ConversationInitiation(dynamic_variables={"nome": "Ana"}),
    )
    [tool] = call.thought[0].tools
    assert list(tool.parameters["properties"]) == tool.parameters["required"] == ["porta"]
    assert "1234" not in json.dumps(tool.parameters)
    [told] = call.messages(ClientToolCall)
    assert told.parameters == {"porta": "da frente", "senha": "1234", "dono": "Ana"}


def test_a_webhook_gets_them_too_and_all_variables() -> None:
    api = {
        "url": "https://example.com/{porta}",
        "path_params_schema": {"porta": {"type": "string", "description": "Qual"}},
        "query_params_schema": taking(dono={"type": "string", "dynamic_variable": "nome"}),
    }
    call = asked(
        [asks("buscar", porta="1", dono="Eva")],
        tool=webhook(api_schema=api),
        initiation=ConversationInitiation(dynamic_variables={"nome": "Ana", "outro": 1}),
    )
    [request] = call.webhooks
    assert request.arguments == {"porta": "1", "dono": "Ana"}
    assert request.variables["outro"] == 1
    assert request.variables["system__conversation_id"] == "conv_1"
