"""Calls in which the model uses our own tools: it hangs up, or waits."""

from collections.abc import Sequence
from typing import Any

import pytest

from serve_app.conversation.agent import Turn
from serve_app.conversation.client_messages import UserActivity
from serve_app.conversation.dialogue import Message
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentToolResponse,
    AgentToolResponseFullPayload,
    Audio,
    Interruption,
)
from serve_app.conversation.tools import ToolCall
from serve_app.errors import Finished, SpeechError
from tests.conversation.score import Call, Piece, agent, conversation_of, seconds
from tests.conversation.toolkit import (
    TOOL_EVENTS,
    answers,
    asks,
    client,
    equipped,
    outcomes,
    prompted,
    results,
    script,
    system,
)

GOODBYE = "Foi um prazer. Tchau!"
HANG_UP = asks("end_call", reason="tchau")


def hung_up(*generations: Sequence[Piece], **parts: Any) -> Call:
    events = (*TOOL_EVENTS, "agent_tool_response_full_payload")
    described = equipped(system("end_call"), client(), events=events)
    call = Call(described, model=script(*generations), **parts)
    call.types("tchau")
    return call


def heard_until(call: Call) -> float:
    """When the caller has heard the last of it."""
    until = 0.0
    for at, message in call.sent:
        if isinstance(message, Audio):
            until = max(until, at) + seconds(message)
    return until


# ---- end_call


def test_the_call_ends_when_the_goodbye_was_heard_to_its_end() -> None:
    call = hung_up([GOODBYE, HANG_UP])
    call.silence(4)
    assert call.outline()[1:] == [
        "user: tchau",
        "agent_tool_request",
        f"agent: {GOODBYE}",
        "audio",
        "agent_tool_response",
        "agent_tool_response_full_payload",
    ]
    assert sum(map(seconds, call.messages(Audio))) == pytest.approx(len("Foi um prazer.Tchau!") / 14, abs=0.01)
    assert call.times(AgentToolResponse)[0] >= heard_until(call) - 1e-6
    assert outcomes(call) == [("end_call", False, True)]


def test_it_ends_without_a_fault() -> None:
    call = hung_up([GOODBYE, HANG_UP])
    call.silence(4)
    assert type(call.ended) is Finished
    assert call.ended.close_code == 1000
    assert call.log("error") == []


def test_the_model_is_not_asked_again() -> None:
    call = hung_up([GOODBYE, HANG_UP])
    call.silence(4)
    assert len(call.thought) == 1


@pytest.mark.parametrize(
    ("arguments", "goodbye"),
    [
        ({}, line("goodbye", "pt")),
        ({"message": " "}, line("goodbye", "pt")),
        ({"message": "Até!"}, "Até!"),
        ({"message": 5}, line("goodbye", "pt")),
    ],
)
def test_nobody_is_hung_up_on_without_a_goodbye(arguments: dict[str, object], goodbye: str) -> None:
    call = hung_up([asks("end_call", **arguments)])
    call.silence(4)
    assert [m.agent_response for m in call.messages(AgentResponse)] == [goodbye]
    assert isinstance(call.ended, Finished)


def test_a_goodbye_that_was_said_is_not_said_twice() -> None:
    call = hung_up([GOODBYE, asks("end_call", message="Até!")])
    call.silence(4)
    assert [m.agent_response for m in call.messages(AgentResponse)] == [GOODBYE]


def test_a_caller_who_interrupts_the_goodbye_is_not_hung_up_on() -> None:
    call = hung_up([GOODBYE, HANG_UP], ["Sim?"])
    call.silence(0.8)
    call.says("espera mais uma coisa")
    call.silence(4)
    assert len(call.messages(Interruption)) == 1
    assert not call.ended
    assert not any([call.messages(AgentToolResponse), call.messages(AgentToolResponseFullPayload)])
    assert call.outline()[-2:] == ["agent: Sim?", "audio"]
    assert set(results(conversation_of(call))) == {HANG_UP.id}


def test_nor_is_one_who_types() -> None:
    call = hung_up([GOODBYE, HANG_UP], ["Sim?"])
    call.silence(0.5)
    call.types("espera")
    call.silence(4)
    assert not call.ended
    assert call.messages(AgentToolResponse) == []


def test_the_call_can_still_be_ended_after_that() -> None:
    call = hung_up([GOODBYE, HANG_UP], [GOODBYE, asks("end_call", "call_2")])
    call.silence(0.5)
    call.types("espera. Não, tchau")
    call.silence(4)
    assert isinstance(call.ended, Finished)
    assert [told.tool_call_id for told in call.messages(AgentToolResponse)] == ["call_2"]


@pytest.mark.parametrize(
    "calls",
    [
        [asks("end_call", "a"), asks("end_call", "b")],
        [ToolCall("a", "end_call", "not json"), asks("end_call", "b")],
    ],
    ids=["twice", "wrongly"],
)
def test_a_client_that_hangs_up_on_end_call_hears_the_goodbye(calls: list[Piece]) -> None:
    """The JavaScript client does, on any `agent_tool_response` of that name."""
    call = hung_up(calls, ["Tchau!", asks("end_call", "c")])
    call.silence(6)
    assert isinstance(call.ended, Finished)
    assert call.times(AgentToolResponse)[0] >= heard_until(call) - 1e-6
    assert call.times(AgentToolResponseFullPayload)[0] >= heard_until(call) - 1e-6


def test_a_model_that_makes_up_end_call_does_not_make_the_client_hang_up() -> None:
    call = Call(equipped(client()), model=script([HANG_UP], ["Mais alguma coisa?"]))
    call.types("tchau")
    call.silence(3)
    assert not call.ended
    assert "end_call" not in {told.tool_name for told in call.messages(AgentToolResponse)}
    assert call.outline()[-2:] == ["agent: Mais alguma coisa?", "audio"]


def test_another_tool_may_run_before_the_call_ends() -> None:
    call = hung_up([GOODBYE, asks("abrir", "a"), asks("end_call", "b")])
    call.silence(3)
    assert not call.ended
    answers(call, "aberta", "a")
    call.silence(1)
    assert isinstance(call.ended, Finished)
    assert outcomes(call) == [("abrir", False, True), ("end_call", False, True)]


def test_without_a_voice_for_the_goodbye_the_call_ends_with_an_error() -> None:
    call = hung_up([GOODBYE, HANG_UP], voice=lambda _: [SpeechError("gone")])
    call.silence(3)
    assert isinstance(call.ended, SpeechError)


def test_in_writing_the_call_ends_when_the_goodbye_was_sent() -> None:
    call = Call(equipped(system("end_call"), text_only=True), model=script(["Tchau!", HANG_UP]))
    call.types("tchau")
    call.sends_nothing(1)
    assert call.outline()[1:] == ["user: tchau", "agent_tool_request", "agent: Tchau!", "agent_tool_response"]
    assert isinstance(call.ended, Finished)


# ---- skip_turn

PATIENT = Turn(turn_timeout=3)


def skipped(*generations: Sequence[Piece]) -> Call:
    prompt = prompted(system("skip_turn"))
    call = Call(agent(prompt=prompt, events=TOOL_EVENTS, turn=PATIENT), model=script(*generations))
    call.says("espera que vou procurar")
    return call


def test_a_turn_may_be_skipped() -> None:
    call = skipped([asks("skip_turn")])
    call.silence(60)
    assert call.outline()[1:] == ["user: espera que vou procurar", "agent_tool_request", "agent_tool_response"]
    assert len(call.thought) == 1, "nor does the agent speak up"
    assert not call.ended


def test_what_was_said_before_skipping_is_heard() -> None:
    call = skipped(["Claro.", asks("skip_turn")])
    call.silence(20)
    assert call.outline()[-2:] == ["agent: Claro.", "audio"]
    assert len(call.thought) == 1


def test_after_the_caller_has_spoken_the_agent_speaks_up_again() -> None:
    call = skipped([asks("skip_turn")], ["Ótimo."], ["Ainda está aí?"], ["Alô?"])
    call.silence(10)
    call.says("achei")
    call.silence(20)
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Ótimo.", "Ainda está aí?", "Alô?"]


def test_noise_is_not_the_caller_speaking() -> None:
    call = skipped([asks("skip_turn")])
    call.silence(5)
    call.says("", seconds=0.2)
    call.silence(20)
    assert len(call.thought) == 1


def test_nor_is_activity() -> None:
    call = skipped([asks("skip_turn")])
    call.silence(5)
    call.sends(UserActivity())
    call.silence(20)
    assert len(call.thought) == 1


def test_a_skipped_turn_stands_in_the_history() -> None:
    call = skipped([asks("skip_turn")], ["Ótimo."])
    call.silence(2)
    call.says("achei")
    call.silence(2)
    [_, skipping, told, user] = conversation_of(call)
    assert skipping == Message("assistant", "", (asks("skip_turn"),))
    assert (told.role, told.tool_call_id) == ("tool", "call_1")
    assert user == Message("user", "achei")
