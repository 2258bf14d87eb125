"""Calls in which the model uses tools: what is said before and between, and when they run."""

import pytest

from serve_app.conversation.answering import MOST_ROUNDS
from serve_app.conversation.dialogue import Message
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseComplete,
    Audio,
    ClientToolCall,
    UserTranscript,
)
from tests.conversation.score import Call, conversation_of
from tests.conversation.toolkit import (
    READY,
    TOOL_EVENTS,
    answers,
    asked,
    asks,
    client,
    equipped,
    script,
)

# ---- text and rounds


def test_text_before_a_tool_is_spoken_while_it_runs_and_is_an_answer_of_its_own() -> None:
    call = asked(["Vou ", "abrir.", asks("abrir")], READY)
    call.silence(1)
    answers(call, "aberta")
    call.silence(2)
    assert call.outline()[2:] == [
        "agent_tool_request",
        "client_tool_call",
        "agent: Vou abrir.",
        "audio",
        "agent_tool_response",
        "agent: Pronto.",
        "audio",
    ]
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Vou abrir.", "Pronto."]
    assert call.times(AgentResponse)[0] == call.times(Audio)[0]
    assert [turn["text"] for turn in call.log("agent_turn")] == ["Vou abrir.", "Pronto."]
    assert conversation_of(call)[1:] == [
        Message("assistant", "Vou abrir.", (asks("abrir"),)),
        Message("tool", "aberta", tool_call_id="call_1"),
    ]


def test_each_answer_has_its_own_id_and_its_own_end() -> None:
    call = Call(
        equipped(client(), events=(*TOOL_EVENTS, "agent_response_complete")),
        model=script(["Vou abrir.", asks("abrir")], READY),
    )
    call.types("abre")
    call.silence(1)
    answers(call, "aberta")
    call.silence(2)
    ids = [message.event_id for message in call.messages(AgentResponse)]
    assert len(set(ids)) == 2
    assert [message.event_id for message in call.messages(AgentResponseComplete)] == ids
    assert call.messages(Audio)[-1] in [message for _, message in call.sent][: -len(ids)], "after the last sound"


def test_the_model_may_use_tools_again_when_it_knows_more() -> None:
    call = asked([asks("abrir", "a")], ["Só mais uma. ", asks("abrir", "b")], READY)
    answers(call, "primeira", "a")
    call.silence(2)
    answers(call, "segunda", "b")
    call.silence(2)
    assert conversation_of(call)[1:] == [
        Message("assistant", "", (asks("abrir", "a"),)),
        Message("tool", "primeira", tool_call_id="a"),
        Message("assistant", "Só mais uma.", (asks("abrir", "b"),)),
        Message("tool", "segunda", tool_call_id="b"),
    ]
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Só mais uma.", "Pronto."]


def test_a_model_that_has_said_what_there_is_to_say_needs_no_more_words() -> None:
    """Its tool gives no answer, so there is none to tell."""
    call = asked(["Vou abrir.", asks("abrir")], [], tool=client(expects_response=False))
    call.silence(5)
    assert [m.agent_response for m in call.messages(AgentResponse)] == ["Vou abrir."]


def rounds(*, obedient: bool) -> Call:
    """A model that always wants its tool, as long as it is offered (`obedient`) or for ever."""
    call = Call(
        equipped(client(expects_response=False)),
        model=lambda _: (
            [asks("abrir", f"call_{len(call.thought)}")] if call.thought[-1].tools or not obedient else READY
        ),
    )
    call.types("abre tudo")
    call.silence(10)
    return call


def test_a_model_that_would_go_on_for_ever_is_asked_for_words() -> None:
    call = rounds(obedient=True)
    assert len(call.messages(ClientToolCall)) == MOST_ROUNDS
    assert [bool(request.tools) for request in call.thought] == [True] * MOST_ROUNDS + [False]
    assert call.outline()[-2:] == ["agent: Pronto.", "audio"]


def test_a_model_that_calls_tools_it_is_not_offered_does_not_get_them() -> None:
    call = rounds(obedient=False)
    assert len(call.messages(ClientToolCall)) == MOST_ROUNDS
    assert call.outline()[-1] == "audio", "the caller is told something"


# ---- speculation


def test_an_answer_that_is_prepared_runs_no_tool_before_the_turn_is_taken() -> None:
    call = Call(equipped(client()), model=lambda _: [asks("abrir")])
    call.model_s = 0.01
    call.silence(1)
    call.says("abre a porta")
    stopped = call.now
    call.silence(1)
    assert call.times(ClientToolCall) == call.times(UserTranscript) == [pytest.approx(stopped + 0.360)]
    assert call.outline()[1:3] == ["user: abre a porta", "agent_tool_request"]


def test_an_answer_that_is_thrown_away_has_run_no_tool() -> None:
    call = Call(equipped(client()), model=lambda _: [asks("abrir")])
    call.model_s = 0.01
    call.silence(1)
    call.says("abre a porta")
    call.silence(0.16)
    call.says("da garagem")
    call.silence(1)
    assert [request.messages[-1].content for request in call.thought] == ["abre a porta", "abre a porta da garagem"]
    assert len(call.messages(ClientToolCall)) == len(call.log("tool_call")) == 1
