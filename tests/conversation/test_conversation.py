"""Whole calls, as scores: what the caller does, and what the client, the model and the record get."""

import json

import pytest

from serve_app.audio.detector import Frame
from serve_app.conversation import client_messages, protocol, server_messages
from serve_app.conversation.client_messages import ConfigOverride, ConversationInitiation, RulesOverride
from serve_app.conversation.conversation import Conversation
from serve_app.conversation.dialogue import Message
from serve_app.conversation.heartbeat import FIRST_PING_S, PING_EVERY_S
from serve_app.conversation.server_messages import (
    Audio,
    ConversationInitiationMetadata,
    Ping,
    ServerMessage,
    UserTranscript,
)
from tests.conversation.score import GREETING, Call, agent, conversation_of, seconds

# ---- a call that goes well


def test_the_greeting_is_spoken_as_the_call_opens() -> None:
    call = Call(agent(GREETING))
    call.silence(3)
    assert call.outline() == ["metadata", f"agent: {GREETING}", "audio"]
    assert sum(map(seconds, call.messages(Audio))) == pytest.approx(len(GREETING) / 14, abs=0.01)
    assert call.thought == []


def test_without_a_greeting_the_caller_speaks_first() -> None:
    call = Call()
    call.silence(1)
    assert call.outline() == ["metadata"]


def test_metadata_is_first_and_once() -> None:
    call = Call(agent(GREETING))
    assert call.messages(ServerMessage)[0] == ConversationInitiationMetadata("conv_1", "pcm_16000", "pcm_16000")
    call.silence(1)
    assert call.conversation.receive(ConversationInitiation(), call.now) == []
    call.says("oi")
    call.silence(3)
    assert len(call.messages(ConversationInitiationMetadata)) == 1


def test_a_turn_is_heard_answered_and_remembered() -> None:
    call = Call(agent(GREETING, prompt="Seja breve."))
    call.silence(3)
    call.says("quero um café")
    call.silence(4)
    call.says("com leite")
    call.silence(4)
    assert call.outline()[3:] == [
        "user: quero um café",
        "agent: Você disse quero um café.",
        "audio",
        "user: com leite",
        "agent: Você disse com leite.",
        "audio",
    ]
    assert conversation_of(call) == [
        Message("system", "Seja breve."),
        Message("assistant", GREETING),
        Message("user", "quero um café"),
        Message("assistant", "Você disse quero um café."),
        Message("user", "com leite"),
    ]
    assert [turn["text"] for turn in call.log("user_turn")] == ["quero um café", "com leite"]
    assert [turn["text"] for turn in call.log("agent_turn")][1:] == [
        "Você disse quero um café.",
        "Você disse com leite.",
    ]


def test_the_answer_is_prepared_while_the_pause_lasts() -> None:
    """Recognition (at 40 ms, takes 50), model (100 ms) and voice (80 ms) run during the 360 ms of silence."""
    call = Call()
    call.silence(1)
    call.says("quero um café")
    stopped = call.now
    call.silence(3)
    assert call.times(UserTranscript) == [pytest.approx(stopped + 0.360)]
    first_audio = call.times(Audio)[0]
    assert first_audio - stopped < 0.360 + 0.020, "all of it was ready"
    [turn] = call.log("agent_turn")
    metrics = turn["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["convai_turn_silence_before_initiation"] == pytest.approx(0.360)
    assert metrics["convai_turn_asr_latency"] == pytest.approx(0.090)
    assert metrics["convai_llm_service_ttfb"] == pytest.approx(0.100)
    assert metrics["convai_ttf_audio_since_silence"] == pytest.approx(first_audio - stopped, abs=1e-3)


def test_no_sound_leaves_before_the_turn_is_taken() -> None:
    call = Call()
    call.model_s = call.voice_s = 0.010
    call.silence(1)
    call.says("oi")
    stopped = call.now
    call.silence(2)
    assert call.times(Audio)[0] == pytest.approx(stopped + 0.360), "it was ready, and waited"


def test_a_pause_within_a_turn_costs_an_answer_that_nobody_hears() -> None:
    call = Call()
    call.silence(1)
    call.says("quero um café")
    call.silence(0.12)
    call.says("com leite")
    call.silence(3)
    assert call.outline()[1:] == [
        "user: quero um café com leite",
        "agent: Você disse quero um café com leite.",
        "audio",
    ]
    assert call.stopped == {1}
    assert [think.messages[-1].content for think in call.thought] == ["quero um café", "quero um café com leite"]


def test_a_caller_who_goes_on_before_the_first_sound_is_answered_once() -> None:
    call = Call()
    call.model_s = 1.0
    call.silence(1)
    call.says("quero um café")
    call.silence(0.6)
    call.says("com leite")
    call.silence(5)
    assert call.outline()[1:] == [
        "user: quero um café",
        "user: com leite",
        "agent: Você disse quero um café com leite.",
        "audio",
    ]


def test_audio_is_logged_with_the_span_of_text_it_carries() -> None:
    call = Call(agent(GREETING))
    call.silence(3)
    spans = call.log("audio")
    assert [span["event_id"] for span in spans] == [m.event_id for m in call.messages(Audio)]
    assert spans[0]["start"] == 0
    assert spans[-1]["end"] == len(GREETING)
    assert {span["turn"] for span in spans} == {1}


def test_what_happens_does_not_depend_on_the_lumps_audio_comes_in() -> None:
    def outline(lump_s: float) -> list[str]:
        call = Call(agent(GREETING), lump_s=lump_s)
        call.silence(3)
        call.says("quero um café")
        call.silence(1)
        call.says("espera um pouco")
        call.silence(4)
        return [told for told in call.outline() if not told.startswith("heard")]

    assert outline(0.24) == outline(0.02)
    assert "interruption" in outline(0.24)


# ---- typed messages


def test_a_typed_message_is_a_turn() -> None:
    call = Call()
    call.silence(0.5)
    call.types("  quero um café ")
    call.silence(4)
    assert call.outline()[1:] == ["user: quero um café", "agent: Você disse quero um café.", "audio"]
    assert call.log("user_turn")[0]["medium"] == "text"


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_an_empty_message_is_nothing(text: str | None) -> None:
    call = Call(agent(GREETING))
    call.silence(1)
    assert call.conversation.receive(client_messages.UserMessage(text), call.now) == []


# ---- the line


def test_pings_after_a_second_then_every_fifteen() -> None:
    call = Call()
    call.silence(40)
    assert call.times(Ping) == pytest.approx([FIRST_PING_S + n * PING_EVERY_S for n in range(3)])


def test_the_first_round_trip_is_dropped() -> None:
    call = Call(pong_s=0.034)
    call.silence(50)
    assert [m.ping_ms for m in call.messages(Ping)] == [None, None, 34, 34]


def test_pongs_that_answer_no_ping_are_ignored() -> None:
    call = Call(pong_s=None)
    call.silence(15)
    for event_id in (-1, 0, 99):
        assert call.conversation.receive(client_messages.Pong(event_id), call.now) == []
    call.silence(5)
    assert {m.ping_ms for m in call.messages(Ping)} == {None}


def overriding(*events: str) -> ConversationInitiation:
    return ConversationInitiation(ConfigOverride(conversation=RulesOverride(client_events=list(events))))


def test_a_client_gets_the_events_it_asks_for_and_those_it_needs() -> None:
    call = Call(agent(GREETING), initiation=overriding("user_transcript"))
    call.silence(3)
    call.says("oi")
    call.silence(3)
    assert call.outline() == ["metadata", "user: oi"]
    assert call.messages(Ping)
    assert call.log("audio"), "played, as far as the record goes"


def test_where_the_time_of_a_turn_went_is_told_to_who_asks() -> None:
    call = Call(initiation=overriding("agent_response", "agent_response_metadata"))
    call.types("oi")
    call.silence(3)
    [told] = call.messages(server_messages.AgentResponseMetadata)
    metrics = json.loads(protocol.encode(told))["agent_response_metadata_event"]["metadata"]
    assert metrics["conversation_turn_metrics"]["metrics"]["convai_llm_service_ttfb"] == {"elapsed_time": 0.1}


def test_frames_that_change_nothing_cost_no_action() -> None:
    conversation = Conversation("conv_1", "default", {"default": agent()})
    conversation.open(ConversationInitiation(), 0)
    assert conversation.hear(Frame(320, False, False, False, None), 0.02) == []
