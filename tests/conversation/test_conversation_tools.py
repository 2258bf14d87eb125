"""Calls in which the model uses tools: what client and webhook get, and what the model is told of them."""

import pytest

from serve_app.conversation.dialogue import Message
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentToolRequest,
    AgentToolResponse,
    AgentToolResponseFullPayload,
    ClientToolCall,
    Error,
)
from serve_app.conversation.tool_use import LONGEST_RESULT, Outcome
from serve_app.conversation.toolbox import SENT, SLACK_S
from tests.conversation.score import EVENTS, Call, Piece, conversation_of
from tests.conversation.toolkit import (
    DOOR,
    READY,
    TOOL_EVENTS,
    answers,
    asked,
    asks,
    client,
    equipped,
    outcomes,
    results,
    script,
    webhook,
)

# ---- the client's tools


def test_a_client_tool_is_called_and_its_result_told() -> None:
    call = asked([asks("abrir", porta="da frente")], READY, tool=client(parameters=DOOR))
    [told] = call.messages(ClientToolCall)
    assert (told.tool_name, told.tool_call_id) == ("abrir", "call_1")
    assert told.parameters == {"porta": "da frente"}
    assert told.expects_response
    assert len(call.thought) == 1, "nothing goes on before the result"
    answers(call, "aberta")
    call.silence(2)
    assert call.outline()[1:] == [
        "user: abre a porta",
        "agent_tool_request",
        "client_tool_call",
        "agent_tool_response",
        "agent: Pronto.",
        "audio",
    ]
    assert conversation_of(call) == [
        Message("user", "abre a porta"),
        Message("assistant", "", (asks("abrir", porta="da frente"),)),
        Message("tool", "aberta", tool_call_id="call_1"),
    ]
    assert outcomes(call) == [("abrir", False, True)]


def test_tools_and_their_results_stay_in_the_history() -> None:
    call = asked([asks("abrir")], READY, ["De nada."])
    answers(call, "aberta")
    call.silence(2)
    call.types("obrigado")
    call.silence(2)
    assert conversation_of(call)[1:] == [
        Message("assistant", "", (asks("abrir"),)),
        Message("tool", "aberta", tool_call_id="call_1"),
        Message("assistant", "Pronto."),
        Message("user", "obrigado"),
    ]


def test_the_record_tells_of_the_call_and_of_its_outcome() -> None:
    call = asked([asks("abrir", porta="da frente")], READY, tool=client(parameters=DOOR))
    answers(call, "emperrada", is_error=True)
    call.silence(2)
    [begun], [ended] = call.log("tool_call"), call.log("tool_result")
    assert (begun["tool_name"], begun["type"], begun["params_as_json"]) == ("abrir", "client", '{"porta":"da frente"}')
    assert (ended["tool_call_id"], ended["result"], ended["is_error"]) == ("call_1", "emperrada", True)
    assert ended["latency_secs"] == pytest.approx(0.39, abs=0.02)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("texto", "texto"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (3.5, "3.5"),
        ([], "[]"),
        ({"preço": [1, None]}, '{"preço":[1,null]}'),
    ],
)
def test_a_result_may_be_any_json(result: object, told: str) -> None:
    call = asked([asks("abrir")], READY)
    answers(call, result)
    assert results(conversation_of(call)) == {"call_1": told}


def test_an_error_of_the_client_is_told_as_one() -> None:
    call = asked([asks("abrir")], READY)
    answers(call, "Tool 'abrir' is not registered", is_error=True)
    assert outcomes(call) == [("abrir", True, True)]
    assert results(conversation_of(call)) == {"call_1": "Tool 'abrir' is not registered"}


def test_a_client_that_does_not_answer_in_time_is_gone_on_without() -> None:
    call = asked([asks("abrir")], READY, tool=client(response_timeout_secs=5))
    called = call.times(ClientToolCall)[0]
    call.silence(8)
    assert call.times(AgentToolResponse) == [pytest.approx(called + 5)]
    assert outcomes(call) == [("abrir", True, True)]
    assert results(conversation_of(call)) == {"call_1": "abrir did not answer in time"}
    assert call.outline()[-2:] == ["agent: Pronto.", "audio"]


def test_a_late_result_changes_nothing() -> None:
    call = asked([asks("abrir")], READY, ["De nada."], tool=client(response_timeout_secs=1))
    call.silence(4)
    before = len(call.outline())
    answers(call, "aberta")
    call.silence(2)
    assert len(call.outline()) == before
    assert call.messages(Error) == []
    call.types("obrigado")
    call.silence(2)
    assert results(conversation_of(call)) == {"call_1": "abrir did not answer in time"}


def test_the_first_of_two_results_counts() -> None:
    call = asked([asks("abrir")], READY)
    answers(call, "aberta")
    answers(call, "fechada")
    call.silence(2)
    assert results(conversation_of(call)) == {"call_1": "aberta"}
    assert len(call.messages(AgentToolResponse)) == 1
    assert call.messages(Error) == []


@pytest.mark.parametrize("call_id", ["call_2", "", "abrir"])
def test_a_result_of_no_call_is_an_error_and_the_call_goes_on(call_id: str) -> None:
    call = asked([asks("abrir")], READY)
    answers(call, "aberta", call_id)
    [error] = call.messages(Error)
    assert (error.code, error.error_type) == (1008, "value_error")
    assert repr(call_id) in error.message
    assert outcomes(call) == []
    answers(call, "aberta")
    call.silence(2)
    assert call.outline()[-2:] == ["agent: Pronto.", "audio"]
    assert not call.ended


def test_a_result_before_any_tool_is_an_error() -> None:
    call = Call()
    answers(call, "aberta")
    assert len(call.messages(Error)) == 1


def test_a_client_cannot_answer_for_a_webhook() -> None:
    call = asked([asks("buscar")], READY, tool=webhook())
    answers(call, "forjado")
    assert len(call.messages(Error)) == 1
    assert outcomes(call) == []


def test_tools_asked_for_at_once_run_at_once_and_all_are_waited_for() -> None:
    both: list[Piece] = [asks("abrir", "a"), asks("fechar", "b")]
    call = Call(equipped(client(), client("fechar")), model=script(both, READY))
    call.types("abre e fecha")
    call.silence(0.5)
    assert call.times(ClientToolCall)[0] == call.times(ClientToolCall)[1]
    answers(call, "fechada", "b")
    call.silence(0.5)
    assert len(call.thought) == 1
    answers(call, "aberta", "a")
    call.silence(2)
    assert len(call.thought) == 2
    assert conversation_of(call)[1:] == [
        Message("assistant", "", (asks("abrir", "a"), asks("fechar", "b"))),
        Message("tool", "aberta", tool_call_id="a"),
        Message("tool", "fechada", tool_call_id="b"),
    ]


def test_one_tool_may_be_asked_for_twice_at_once() -> None:
    both: list[Piece] = [asks("abrir", "a", porta="1"), asks("abrir", "b", porta="2")]
    call = asked(both, READY, tool=client(parameters=DOOR))
    assert [told.parameters for told in call.messages(ClientToolCall)] == [{"porta": "1"}, {"porta": "2"}]
    answers(call, "segunda", "b")
    answers(call, "primeira", "a")
    assert results(conversation_of(call)) == {"a": "primeira", "b": "segunda"}


def test_one_of_two_tools_may_time_out() -> None:
    both: list[Piece] = [asks("abrir", "a"), asks("fechar", "b")]
    tools = client(response_timeout_secs=3), client("fechar", response_timeout_secs=1)
    call = Call(equipped(*tools), model=script(both, READY))
    call.types("abre e fecha")
    call.silence(2)
    answers(call, "aberta", "a")
    assert results(conversation_of(call)) == {"a": "aberta", "b": "fechar did not answer in time"}


def test_a_client_tool_that_gives_no_answer_is_not_waited_for() -> None:
    call = asked([asks("abrir")], READY, tool=client(expects_response=False))
    [told] = call.messages(ClientToolCall)
    assert not told.expects_response
    assert results(conversation_of(call)) == {"call_1": SENT}
    assert call.times(AgentResponse)[0] < 0.5
    answers(call, "clients answer in any case")
    assert call.messages(Error) == []


def test_client_tool_calls_are_sent_whatever_the_client_listed() -> None:
    call = Call(equipped(client(), events=EVENTS), model=script([asks("abrir")], READY))
    call.types("abre")
    call.silence(1)
    assert len(call.messages(ClientToolCall)) == 1
    assert not any([call.messages(AgentToolRequest), call.messages(AgentToolResponse)])


# ---- webhooks


def test_a_webhook_is_called_and_its_answer_told() -> None:
    call = asked([asks("buscar")], READY, tool=webhook(), webhook=lambda _: Outcome("42"))
    call.silence(2)
    [request] = call.webhooks
    assert (request.call_id, request.tool.name, request.arguments) == ("call_1", "buscar", {})
    assert results(conversation_of(call)) == {"call_1": "42"}
    assert outcomes(call) == [("buscar", False, True)]
    assert call.messages(AgentToolRequest)[0].tool_type == "webhook"
    assert call.outline()[-2:] == ["agent: Pronto.", "audio"]


def test_a_webhook_that_fails_is_told_to_the_model() -> None:
    call = asked([asks("buscar")], READY, tool=webhook(), webhook=lambda _: Outcome("answered 500", is_error=True))
    call.silence(2)
    assert outcomes(call) == [("buscar", True, True)]
    assert results(conversation_of(call)) == {"call_1": "answered 500"}
    assert not call.ended


def test_a_webhook_that_never_answers_is_gone_on_without() -> None:
    call = asked([asks("buscar")], READY, tool=webhook(response_timeout_secs=3))
    called = call.times(AgentToolRequest)[0]
    call.silence(8)
    assert call.times(AgentToolResponse) == [pytest.approx(called + 3 + SLACK_S)]
    assert results(conversation_of(call)) == {"call_1": "buscar did not answer in time"}


def test_a_long_result_is_cut_and_the_client_told_so() -> None:
    call = Call(
        equipped(webhook(), events=(*TOOL_EVENTS, "agent_tool_response_full_payload")),
        model=script([asks("buscar")], READY),
        webhook=lambda _: Outcome("x" * (LONGEST_RESULT + 1)),
    )
    call.types("busca")
    call.silence(2)
    [payload] = call.messages(AgentToolResponseFullPayload)
    assert payload.truncated
    assert payload.full_tool_result == results(conversation_of(call))["call_1"] == "x" * LONGEST_RESULT + " [cut]"
