"""Calls in writing: nothing is heard, nothing is spoken, and answers come as they are written."""

from collections.abc import Sequence

import pytest

from serve_app.conversation.agent import Turn
from serve_app.conversation.client_messages import ConfigOverride, ConversationInitiation, RulesOverride, UserAudioChunk
from serve_app.conversation.delivery import REPLY_BUDGET_S
from serve_app.conversation.dialogue import Message
from serve_app.conversation.model_request import Reasoning
from serve_app.conversation.patience import TRANSPORT_S
from serve_app.conversation.server_messages import (
    AgentChatResponsePart,
    AgentReasoningResponsePart,
    AgentResponse,
    AgentResponseComplete,
    AgentResponseCorrection,
    Audio,
    Error,
    Interruption,
    Ping,
)
from serve_app.errors import Gone, LanguageModelError
from tests.conversation.score import GREETING, TROUBLE, Call, Piece, agent, conversation_of
from tests.conversation.toolkit import TOOL_EVENTS, answers, asks, client, equipped, script

PARTS = (
    "agent_response",
    "agent_response_correction",
    "agent_response_complete",
    "agent_chat_response_part",
    "user_transcript",
)


def written(first_message: str = "", *, turn: Turn | None = None, events: Sequence[str] | None = PARTS) -> Call:
    return Call(agent(first_message, text_only=True, turn=turn, events=events))


def parts(call: Call) -> list[tuple[str, str]]:
    return [(part.type, part.text) for part in call.messages(AgentChatResponsePart)]


def test_an_answer_comes_in_parts_and_then_whole() -> None:
    call = written()
    call.types("oi")
    call.sends_nothing(1)
    assert parts(call) == [("start", ""), ("delta", "Você"), ("delta", " disse"), ("delta", " oi."), ("stop", "")]
    assert call.outline()[1:] == [
        "user: oi",
        "agent_chat_response_part",
        "agent: Você disse oi.",
        "agent_response_complete",
    ]
    [whole], [complete] = call.messages(AgentResponse), call.messages(AgentResponseComplete)
    assert {part.event_id for part in call.messages(AgentChatResponsePart)} == {whole.event_id} == {complete.event_id}


def test_parts_come_as_they_are_written() -> None:
    call = written()
    call.types("oi")
    call.sends_nothing(1)
    start, *deltas, stop = call.times(AgentChatResponsePart)
    assert deltas == pytest.approx([call.model_s + n * call.token_s for n in range(3)])
    assert start == deltas[0]
    assert stop == pytest.approx(call.model_s + 3 * call.token_s)
    assert call.times(AgentResponse) == [stop]


def test_together_they_are_the_answer() -> None:
    pieces = ["\n ", "Um,", "  dois", "\n", "", "três ", " (quatro)", ".", " \n"]
    call = Call(agent(text_only=True, events=PARTS), model=lambda _: pieces)
    call.types("conte")
    call.sends_nothing(1)
    assert "".join(text for _, text in parts(call)) == "Um,  dois\ntrês  (quatro)."
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Um,  dois\ntrês  (quatro)."]


def test_the_first_message_is_written_at_once() -> None:
    call = written(GREETING)
    assert parts(call) == [("start", ""), ("delta", GREETING), ("stop", "")]
    assert call.outline() == ["metadata", "agent_chat_response_part", f"agent: {GREETING}", "agent_response_complete"]
    assert call.sent[-1][0] == 0


def test_parts_are_for_who_lists_them_and_by_default() -> None:
    unlisted, default = written(GREETING, events=["agent_response"]), written(GREETING, events=None)
    assert unlisted.outline() == ["metadata", f"agent: {GREETING}"]
    assert default.outline() == ["metadata", "agent_chat_response_part", f"agent: {GREETING}"]


@pytest.mark.parametrize(
    "override",
    [ConfigOverride(text_only=True), ConfigOverride(conversation=RulesOverride(text_only=True))],
    ids=["python", "js"],
)
def test_a_client_may_ask_for_it(override: ConfigOverride) -> None:
    described = agent(GREETING)
    described.platform_settings.overrides.conversation_config_override["conversation"]["text_only"] = True
    call = Call(described, initiation=ConversationInitiation(override))
    call.types("oi")
    call.sends_nothing(2)
    assert call.conversation.text_only
    assert not any([call.messages(Audio), call.spoken])


def test_nobody_listens_and_nobody_speaks() -> None:
    def never(_: int) -> None:
        raise AssertionError("nothing to judge")

    call = Call(agent(GREETING, text_only=True, turn=Turn(turn_timeout=1, silence_end_call_timeout=2)), judge=never)  # type: ignore[arg-type]
    for text in ("oi", "tudo bem?", "tchau"):
        call.types(text)
        call.sends_nothing(4)
    assert not any([call.recognised, call.spoken, call.judged, call.messages(Audio)])
    assert len(call.messages(AgentResponse)) == 4


def test_audio_is_refused_once() -> None:
    call = written()
    for _ in range(5):
        call.sends(UserAudioChunk(b"\0" * 640))
        call.sends_nothing(0.02)
    [error] = call.messages(Error)
    assert (error.code, error.error_type) == (1008, "value_error")
    assert "text only" in error.message
    call.types("oi")
    call.sends_nothing(1)
    assert call.outline()[-2:] == ["agent: Você disse oi.", "agent_response_complete"]


def test_there_is_no_hurry() -> None:
    call = written(turn=Turn(turn_timeout=1, silence_end_call_timeout=5))
    call.sends_nothing(TRANSPORT_S * 5)
    assert not call.ended
    assert call.thought == []


def test_but_the_client_must_be_there() -> None:
    call = Call(agent(text_only=True), pong_s=None)
    call.sends_nothing(30)
    assert type(call.ended) is Gone
    assert call.messages(Ping)


# ---- typed while an answer is written


def interrupted() -> Call:
    call = written()
    call.token_s = 0.5
    call.types("um dois três")
    call.sends_nothing(1.2)
    call.types("pare")
    call.sends_nothing(4)
    return call


def test_a_new_message_ends_the_answer_that_is_being_written() -> None:
    call = interrupted()
    assert call.stopped == {1}
    assert parts(call)[:5] == [("start", ""), ("delta", "Você"), ("delta", " disse"), ("delta", " um"), ("stop", "")]
    assert call.outline()[1:] == [
        "user: um dois três",
        "agent_chat_response_part",
        "agent: Você disse um",
        "agent_response_complete",
        "user: pare",
        "agent_chat_response_part",
        "agent: Você disse pare.",
        "agent_response_complete",
    ]
    assert not any([call.messages(Interruption), call.messages(AgentResponseCorrection)])


def test_what_was_written_was_read() -> None:
    assert conversation_of(interrupted()) == [
        Message("user", "um dois três"),
        Message("assistant", "Você disse um"),
        Message("user", "pare"),
    ]


def test_a_new_message_before_the_first_word_of_an_answer_is_one_turn() -> None:
    call = written()
    call.types("um")
    call.types("dois")
    call.sends_nothing(1)
    assert call.outline()[1:4] == ["user: um", "user: dois", "agent_chat_response_part"]
    assert conversation_of(call) == [Message("user", "um dois")]
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Você disse um dois."]


# ---- when it takes long, or fails


def test_an_answer_may_take_its_time_to_write() -> None:
    call = Call(agent(text_only=True), model=lambda _: ["palavra "] * 100)
    call.token_s = 4 * REPLY_BUDGET_S / 100
    call.types("conte tudo")
    call.sends_nothing(5 * REPLY_BUDGET_S)
    [answer] = call.messages(AgentResponse)
    assert answer.agent_response.split() == ["palavra"] * 100
    assert call.log("error") == []


@pytest.mark.parametrize("pieces", [[None], [], ["  "], [LanguageModelError("gone")], [Reasoning("Hmm."), None]])
def test_an_answer_that_does_not_come_is_apologised_for(pieces: list[Piece]) -> None:
    call = Call(agent(text_only=True, events=PARTS), model=lambda _: pieces)
    call.types("oi")
    call.sends_nothing(REPLY_BUDGET_S + 1)
    assert [m.agent_response for m in call.messages(AgentResponse)] == [TROUBLE]
    assert not call.ended
    call.types("de novo")
    call.sends_nothing(REPLY_BUDGET_S + 1)
    assert len(call.messages(AgentResponse)) == 2


def test_an_answer_that_stops_midway_is_apologised_for() -> None:
    call = Call(agent(text_only=True, events=PARTS), model=lambda _: ["Um ", "dois", None])
    call.types("conte")
    call.sends_nothing(REPLY_BUDGET_S + 1)
    assert parts(call)[:4] == [("start", ""), ("delta", "Um"), ("delta", " dois"), ("stop", "")]
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Um dois", TROUBLE]
    assert call.log("error")[0]["error_type"] == "llm_error"


@pytest.mark.parametrize("ending", [[], ["Sim."], [LanguageModelError("gone")], [None]])
def test_every_part_that_starts_also_stops(ending: list[Piece]) -> None:
    events = [*PARTS, "agent_reasoning_response_part"]
    call = Call(agent(text_only=True, events=events), model=lambda _: [Reasoning("Hm"), Reasoning("m."), *ending])
    call.types("oi")
    call.sends_nothing(REPLY_BUDGET_S + 1)
    for told in (call.messages(AgentChatResponsePart), call.messages(AgentReasoningResponsePart)):
        assert [part.type for part in told if part.type != "delta"] == ["start", "stop"]
    assert "".join(part.text for part in call.messages(AgentReasoningResponsePart)) == "Hmm."


def test_tools_work_in_writing() -> None:
    call = Call(
        equipped(client(), text_only=True, events=[*TOOL_EVENTS, "agent_chat_response_part"]),
        model=script(["Vou abrir.", asks("abrir")], ["Pronto."]),
    )
    call.types("abre")
    call.sends_nothing(1)
    assert call.outline()[2:] == [
        "agent_chat_response_part",
        "agent_tool_request",
        "client_tool_call",
        "agent: Vou abrir.",
    ]
    answers(call, "aberta")
    call.sends_nothing(1)
    assert call.outline()[6:] == ["agent_tool_response", "agent_chat_response_part", "agent: Pronto."]
    first, second = (message.event_id for message in call.messages(AgentResponse))
    assert [part.event_id for part in call.messages(AgentChatResponsePart)] == [first] * 3 + [second] * 3


def test_a_new_message_ends_the_wait_for_a_tool() -> None:
    call = Call(equipped(client(), text_only=True), model=script(["Vou abrir.", asks("abrir")], ["Está bem."]))
    call.types("abre")
    call.sends_nothing(1)
    call.types("esquece")
    call.sends_nothing(1)
    assert [message.role for message in conversation_of(call)] == ["user", "assistant", "tool", "user"]
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Vou abrir.", "Está bem."]
