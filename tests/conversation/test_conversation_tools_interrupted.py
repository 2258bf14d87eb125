"""Calls in which the caller speaks, or types, while a tool runs."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from serve_app.conversation.dialogue import Message
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import AgentResponse, Interruption
from serve_app.conversation.tool_use import INTERRUPTED
from serve_app.conversation.tools import ClientTool, SystemTool
from tests.conversation.score import Call, Piece, conversation_of
from tests.conversation.toolkit import answers, asks, client, equipped, results, script, system

ASKS: Sequence[Piece] = [asks("abrir")]
OPEN = "Está aberta a porta da frente."
READY: Sequence[Piece] = [OPEN]


def waiting(*generations: Sequence[Piece], **fields: Any) -> Call:
    """The tool was called at once; the turn was taken, and the tool called, at about 0.12 s."""
    call = Call(equipped(client(response_timeout_secs=60, **fields)), model=script(*generations or (ASKS, READY)))
    call.types("abre a porta")
    return call


def spoken(call: Call) -> list[str]:
    return [asked.text for asked in call.spoken]


def test_a_caller_who_speaks_while_a_tool_runs_is_heard() -> None:
    call = waiting(ASKS, ["Está bem."])
    call.silence(1)
    call.says("esquece")
    call.silence(3)
    assert call.stopped == {1}
    assert conversation_of(call)[1:] == [
        Message("assistant", "", (asks("abrir"),)),
        Message("tool", INTERRUPTED, tool_call_id="call_1"),
        Message("user", "esquece"),
    ]
    before = len(call.sent)
    answers(call, "aberta")
    assert len(call.sent) == before, "too late"


def test_so_is_one_who_speaks_over_the_excuse() -> None:
    call = waiting(["Vou ver isso para você agora mesmo.", *ASKS], ["Está bem."])
    call.silence(1.2)
    call.says("esquece por favor")
    call.silence(3)
    assert len(call.messages(Interruption)) == 1
    [_, calling, result, user] = conversation_of(call)
    assert calling.tool_calls == (asks("abrir"),)
    assert "Vou ver isso para você agora mesmo.".startswith(calling.content)
    assert calling.content != "Vou ver isso para você agora mesmo."
    assert (result.content, user.content) == (INTERRUPTED, "esquece por favor")


def test_what_a_tool_did_is_true_though_the_answer_was_not_heard() -> None:
    call = waiting(ASKS, READY, ["Está bem."])
    call.silence(1)
    answers(call, "aberta")
    call.silence(2.5)
    call.says("esquece por favor")
    call.silence(3)
    assert results(conversation_of(call)) == {"call_1": "aberta"}
    [_, _, _, answer, _] = conversation_of(call)
    assert OPEN.startswith(answer.content)


def test_a_typed_message_ends_the_wait_too() -> None:
    call = waiting(ASKS, ["Está bem."])
    call.silence(1)
    call.types("esquece")
    call.silence(2)
    assert results(conversation_of(call)) == {"call_1": INTERRUPTED}
    assert call.outline()[-3:] == ["user: esquece", "agent: Está bem.", "audio"]


def test_a_cough_does_not_cost_the_answer() -> None:
    call = waiting(ASKS, READY, READY)
    call.silence(1)
    call.says("", seconds=0.2)
    call.silence(1)
    answers(call, "aberta")
    call.silence(4)
    assert OPEN in [m.agent_response for m in call.messages(AgentResponse)]
    assert line("not_heard", "pt") not in spoken(call)


@pytest.mark.parametrize(
    "fields",
    [{"disable_interruptions": True}, {"interruption_mode": "disable_during_tool"}],
    ids=lambda f: next(iter(f)),
)
def test_a_tool_may_not_be_interruptible(fields: dict[str, Any]) -> None:
    call = waiting(["Vou ver isso para você agora mesmo.", *ASKS], READY, **fields)
    call.silence(0.5)
    call.says("esquece por favor")
    call.silence(1)
    assert call.outline()[2:] == [
        "agent_tool_request",
        "client_tool_call",
        "agent: Vou ver isso para você agora mesmo.",
        "audio",
    ]
    assert call.stopped == set()
    answers(call, "aberta")
    call.silence(0.5)
    call.says("esquece por favor")
    assert len(call.messages(Interruption)) == 1, "the answer that follows is"


def test_nor_the_answer_that_follows() -> None:
    call = waiting(
        ASKS, READY, ["De nada, sempre que precisar."], ["Está bem."], interruption_mode="disable_during_tool_and_turn"
    )
    call.silence(0.5)
    call.says("esquece")
    answers(call, "aberta")
    call.silence(0.5)
    call.says("esquece por favor")
    call.silence(2)
    assert call.messages(Interruption) == []
    assert [m.agent_response for m in call.messages(AgentResponse)] == READY
    call.says("obrigado")
    call.silence(0.6)
    call.says("esquece por favor")
    call.silence(0.3)
    assert len(call.messages(Interruption)) == 1, "the next answer is"


@pytest.mark.parametrize("tool", [client(expects_response=False), system("language_detection")], ids=lambda t: t.name)
def test_nor_if_the_tool_takes_no_time(tool: ClientTool | SystemTool) -> None:
    tool = replace(tool, interruption_mode="disable_during_tool_and_turn")
    call = Call(equipped(tool), model=script([asks(tool.name, language="pt")], READY, ["Está bem."]))
    call.types("abre a porta")
    call.silence(0.5)
    call.says("esquece por favor")
    call.silence(3)
    assert call.messages(Interruption) == []
    assert [m.agent_response for m in call.messages(AgentResponse)] == READY
