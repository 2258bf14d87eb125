"""Calls in which a tool takes its time: what the caller hears meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest

from serve_app.conversation.delivery import REPLY_BUDGET_S
from serve_app.conversation.dialogue import Message
from serve_app.conversation.fillers import GRACE_S, STILL_BUSY_S, TOOL_PATIENCE_S
from serve_app.conversation.lines import line
from serve_app.conversation.server_messages import AgentResponse, Audio, ClientToolCall
from serve_app.errors import LanguageModelError
from tests.conversation.score import TROUBLE, Call, Piece, conversation_of, seconds
from tests.conversation.toolkit import answers, asks, client, equipped, script

ONE_MOMENT = line("one_moment", "pt")
STILL_BUSY = line("still_busy", "pt")
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


def longest_silence(call: Call, since: float) -> float:
    """Of the agent, until the last sound of it."""
    longest, quiet_from = 0.0, since
    for at, message in call.sent:
        if isinstance(message, Audio):
            longest = max(longest, at - quiet_from)
            quiet_from = max(at, quiet_from) + seconds(message)
    return longest


# ---- passing the time


def test_a_tool_that_takes_long_is_excused() -> None:
    """Its wait is part of the caller's, who typed at 0 s."""
    call = waiting()
    call.silence(TOOL_PATIENCE_S - 0.05)
    assert spoken(call) == []
    call.silence(0.5)
    assert spoken(call) == [ONE_MOMENT]
    assert call.times(Audio)[0] == pytest.approx(TOOL_PATIENCE_S + call.voice_s, abs=0.02)


def test_one_that_comes_late_is_given_a_moment_of_its_own() -> None:
    call = Call(equipped(client(response_timeout_secs=60)), model=script(ASKS, READY))
    call.model_s = TOOL_PATIENCE_S - 0.4
    call.types("abre a porta")
    call.silence(6)
    began = call.times(ClientToolCall)[0]
    assert TOOL_PATIENCE_S - 0.5 < began < TOOL_PATIENCE_S
    assert call.times(Audio)[0] == pytest.approx(began + GRACE_S + call.voice_s, abs=0.02)


def test_a_quick_tool_is_not() -> None:
    call = waiting()
    call.silence(TOOL_PATIENCE_S - 0.2)
    answers(call, "aberta")
    call.silence(3)
    assert spoken(call) == READY


def test_and_again_and_again() -> None:
    call = waiting()
    call.silence(TOOL_PATIENCE_S + 0.5)
    heard = call.now
    call.silence(STILL_BUSY_S)
    assert spoken(call) == [ONE_MOMENT]
    call.silence(2)
    assert spoken(call) == [ONE_MOMENT, STILL_BUSY]
    call.silence(12)
    assert spoken(call) == [ONE_MOMENT, STILL_BUSY, STILL_BUSY]
    assert longest_silence(call, heard) == pytest.approx(STILL_BUSY_S + call.voice_s, abs=0.05)


def test_what_passed_the_time_is_followed_by_the_answer() -> None:
    call = waiting(ASKS, READY, ["De nada."])
    call.silence(3)
    answers(call, "aberta")
    call.silence(4)
    assert spoken(call) == [ONE_MOMENT, *READY]
    assert [m.agent_response for m in call.messages(AgentResponse)] == [ONE_MOMENT, OPEN]
    call.types("obrigado")
    assert conversation_of(call)[1:4] == [
        Message("assistant", "", (asks("abrir"),)),
        Message("tool", "aberta", tool_call_id="call_1"),
        Message("assistant", f"{ONE_MOMENT} {OPEN}"),
    ]


def test_the_time_counts_from_the_last_sound() -> None:
    announced = "Vou ver isso para você agora mesmo, com todo o prazer."
    call = waiting([announced, *ASKS], READY)
    call.silence(len(announced) / 14 + TOOL_PATIENCE_S)
    assert spoken(call) == [announced[: announced.index(",") + 1], "com todo o prazer."]
    call.silence(1)
    assert spoken(call)[2:] == [ONE_MOMENT]


def test_a_tool_may_be_silent() -> None:
    call = waiting(pre_tool_speech="off")
    call.silence(30)
    assert spoken(call) == []


def test_one_silent_tool_keeps_the_others_silent() -> None:
    tools = client(pre_tool_speech="off"), client("fechar")
    call = Call(equipped(*tools), model=script([asks("abrir", "a"), asks("fechar", "b")], READY))
    call.types("abre e fecha")
    call.silence(10)
    assert spoken(call) == []


@pytest.mark.parametrize("before", [[], ["\n"]])
def test_a_tool_may_be_excused_at_once(before: list[Piece]) -> None:
    call = waiting([*before, *ASKS], READY, pre_tool_speech="force")
    call.silence(0.5)
    assert spoken(call) == [ONE_MOMENT]
    call.silence(STILL_BUSY_S)
    assert spoken(call) == [ONE_MOMENT]
    call.silence(2)
    assert spoken(call) == [ONE_MOMENT, STILL_BUSY]


def test_unless_the_model_has_done_so() -> None:
    call = waiting(["Vou ver.", *ASKS], READY, pre_tool_speech="force")
    call.silence(1)
    assert spoken(call) == ["Vou ver."]


def test_nothing_passes_the_time_in_writing() -> None:
    call = Call(equipped(client(), text_only=True), model=script(ASKS, READY))
    call.types("abre a porta")
    call.sends_nothing(15)
    answers(call, "aberta")
    call.sends_nothing(1)
    assert [m.agent_response for m in call.messages(AgentResponse)] == READY


def test_several_tools_in_a_row_are_one_wait_to_the_caller() -> None:
    rounds = 5
    call = waiting(*([asks("abrir", f"call_{n}")] for n in range(rounds)), READY)
    for number in range(rounds):
        call.silence(1.8)
        answers(call, "ainda não", f"call_{number}")
    call.silence(2)
    assert spoken(call)[0] == ONE_MOMENT
    assert longest_silence(call, 0.0) < STILL_BUSY_S


# ---- when it goes wrong


def test_a_model_that_fails_after_its_tool_is_apologised_for() -> None:
    call = waiting(ASKS, [LanguageModelError("gone")])
    call.silence(1)
    answers(call, "aberta")
    call.silence(5)
    assert " ".join(spoken(call)) == TROUBLE


def test_also_when_it_had_promised_something() -> None:
    call = waiting(["Vou ver.", *ASKS], [LanguageModelError("gone")])
    call.silence(1)
    answers(call, "aberta")
    call.silence(5)
    assert " ".join(spoken(call)) == f"Vou ver. {TROUBLE}"


@pytest.mark.parametrize("quiet_s", [1.0, 4.0])
def test_a_model_that_is_silent_after_its_tool_is_apologised_for(quiet_s: float) -> None:
    call = waiting(ASKS, [None])
    call.silence(quiet_s)
    answers(call, "aberta")
    call.silence(REPLY_BUDGET_S + 5)
    assert " ".join(spoken(call)).endswith(TROUBLE)


def test_a_voice_that_loses_the_excuse_costs_no_more_than_that() -> None:
    call = Call(
        equipped(client()), model=script(ASKS, READY), voice=lambda text: [] if text == ONE_MOMENT else [b"\1" * 640]
    )
    call.types("abre a porta")
    call.silence(5)
    answers(call, "aberta")
    call.silence(3)
    assert not call.ended
    assert call.messages(Audio)
