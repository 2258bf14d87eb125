"""Every message that is ever sent has a cause; and a client gets those that it listed, and those that it needs."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from serve_app.conversation import server_messages
from serve_app.conversation.agent import DEFAULT_CLIENT_EVENTS, Agent
from serve_app.conversation.client_messages import Feedback
from serve_app.conversation.decisions import Judgement
from serve_app.conversation.model_request import Reasoning
from serve_app.conversation.playback import Alignment, SpeechChunk
from serve_app.conversation.protocol import encode
from serve_app.conversation.server_messages import (
    ALWAYS_SENT,
    SERVER_MESSAGES,
    AgentChatResponsePart,
    AgentResponse,
    AgentResponseComplete,
    Audio,
    ClientToolCall,
    ConversationInitiationMetadata,
    InternalTentativeAgentResponse,
    InternalTurnProbability,
    Interruption,
    Ping,
    ServerMessage,
    TentativeUserTranscript,
    UserTranscript,
    VadScore,
)
from tests.conversation.guarded import guarded
from tests.conversation.score import EVENTS, SURE, Call, Piece, agent, tone
from tests.conversation.toolkit import answers, asks, client, equipped

SCHEMAS = Path(__file__).parents[3] / "shared" / "protocol" / "messages.json"
ALL = frozenset(SERVER_MESSAGES)
GREETING = "Olá, aqui é da padaria do bairro."


def timed(text: str) -> list[Piece]:
    """A voice that says when each character sounds."""
    chunk = b"".join(piece for piece in tone(text) if isinstance(piece, bytes))
    ms = len(chunk) * 1000 // 32_000
    each = ms // len(text)
    return [SpeechChunk(chunk, Alignment(tuple(text), tuple(n * each for n in range(len(text))), (each,) * len(text)))]


def model(text: str) -> list[Piece]:
    if text == "abre a porta":
        return [Reasoning("Devo abrir."), "Vou abrir.", asks("abrir", de="file:///porta")]
    return ["Está aberta, e pode entrar quando quiser."]


@cache
def everything(events: frozenset[str] = ALL) -> Call:
    """A call in which all that can happen does. (Kept: it is only looked at.)"""
    described = guarded(equipped(client(), first_message=GREETING, events=sorted(events)), "ignore")
    call = Call(described, model=model, voice=timed, judge=lambda _: Judgement(1.0, 0.1))
    call.silence(3)
    call.sends(Feedback(10_000, "like"))
    call.says("abre a porta")
    call.silence(1.5)
    answers(call, "aberta")
    call.silence(1)
    call.says("espera um pouco")
    call.silence(4)
    return call


# ---- causes, and the filter


def test_every_message_has_a_cause() -> None:
    assert {message.TYPE for _, message in everything().sent} == ALL


@pytest.mark.parametrize("left_out", sorted(ALL - {"interruption"}))
def test_a_message_that_was_not_listed_is_not_sent_and_nothing_else_changes(left_out: str) -> None:
    told = everything(ALL - {left_out}).sent
    needed = left_out in ALWAYS_SENT
    assert told == [(at, message) for at, message in everything().sent if needed or left_out != message.TYPE]


def test_what_clients_need_they_get() -> None:
    assert {message.TYPE for _, message in everything(frozenset()).sent} == {
        "conversation_initiation_metadata",
        "ping",
        "error",
        "client_tool_call",
    }


def test_without_interruption_nobody_barges_in() -> None:
    call = everything(ALL - {"interruption"})
    assert "interruption" not in call.outline()
    assert "heard: " not in " ".join(call.outline())
    answer = "Está aberta, e pode entrar quando quiser."
    assert [m.agent_response for m in call.messages(AgentResponse)][:3] == [GREETING, "Vou abrir.", answer]
    assert len(call.messages(UserTranscript)) == 1, "what was said over the agent was not said to it"


def test_by_default_elevenlabs_list_is_sent() -> None:
    call = Call(agent(GREETING, events=None))
    call.silence(3)
    call.says("quero um café")
    call.silence(1)
    call.says("espera um pouco")
    call.silence(2)
    assert {message.TYPE for _, message in call.sent} == set(DEFAULT_CLIENT_EVENTS)
    assert Agent("Ana").client_events == set(DEFAULT_CLIENT_EVENTS)


def test_what_is_sent_is_what_the_schemas_say() -> None:
    if not SCHEMAS.exists():
        pytest.skip("the schemas of the protocol are not here")
    schemas = {event["type"]: event["schema"] for event in json.loads(SCHEMAS.read_text())["events"] if "type" in event}
    for _, message in everything().sent:
        jsonschema.validate(json.loads(encode(message)), schemas[message.TYPE])


# ---- order


def index(call: Call, kind: type[ServerMessage], number: int = 0) -> int:
    return [i for i, (_, message) in enumerate(call.sent) if isinstance(message, kind)][number]


def test_metadata_is_the_first_message_and_comes_once() -> None:
    call = everything()
    assert index(call, ConversationInitiationMetadata) == 0
    assert len(call.messages(ConversationInitiationMetadata)) == 1


def test_a_turn_comes_in_order() -> None:
    call = everything()
    answered = index(call, AgentResponse, 1)
    order = [
        index(call, TentativeUserTranscript),
        index(call, UserTranscript),
        index(call, server_messages.AgentReasoningResponsePart),
        index(call, server_messages.AgentToolRequest),
        index(call, ClientToolCall),
        index(call, server_messages.AgentToolResponse),
        index(call, AgentResponse, 2),
        index(call, AgentResponseComplete, 1),
        index(call, Interruption),
    ]
    assert order[:5] == sorted(order[:5])
    assert order[5:8] == sorted(order[5:8])
    assert order[1] < answered < order[5], "said while the tool ran"


def test_an_answer_is_told_just_before_its_first_sound() -> None:
    call = everything()
    for number in range(3):
        told = index(call, AgentResponse, number)
        following = [m for _, m in call.sent[told + 1 :] if not isinstance(m, server_messages.AgentResponseMetadata)]
        assert isinstance(following[0], Audio)


def test_events_have_rising_ids_of_their_own() -> None:
    shared = (
        AgentChatResponsePart,
        server_messages.AgentReasoningResponsePart,
        AgentResponse,
        server_messages.AgentResponseMetadata,
        server_messages.AgentResponseCorrection,
        AgentResponseComplete,
    )
    ids = [m.event_id for _, m in everything().sent if hasattr(m, "event_id") and not isinstance(m, shared)]
    payloads = [m.event_id for m in everything().messages(server_messages.AgentToolResponseFullPayload)]
    assert Counter(ids) - Counter(payloads) == Counter(set(ids)), "one for each, but for the two about one tool"
    assert ids == sorted(ids)
    assert all(type(event_id) is int for event_id in ids)


# ---- one by one


def test_the_detectors_score_comes_ten_times_a_second() -> None:
    call = Call(agent(events=["vad_score"]))
    call.silence(1)
    call.says("oi tudo bem", seconds=1.0)
    call.silence(1)
    assert len(call.messages(VadScore)) == 30
    scores = [message.vad_score for message in call.messages(VadScore)]
    assert set(scores[:10]) == set(scores[21:]) == {0}
    assert set(scores[11:20]) == {SURE}


def test_the_score_stays_within_bounds_and_is_finite() -> None:
    for message in everything().messages(VadScore):
        assert 0 <= message.vad_score <= 1


def test_what_may_have_been_said_is_told_before_the_turn_is_decided() -> None:
    call = Call(agent(events=["tentative_user_transcript", "user_transcript"]))
    call.silence(1)
    call.says("quero um café")
    stopped = call.now
    call.silence(0.2)
    assert [m.user_transcript for m in call.messages(TentativeUserTranscript)] == ["quero um café"]
    assert call.messages(UserTranscript) == []
    call.says("com leite")
    call.silence(2)
    assert [m.user_transcript for m in call.messages(UserTranscript)] == ["quero um café com leite"]
    assert [m.user_transcript for m in call.messages(TentativeUserTranscript)] == [
        "quero um café",
        "quero um café com leite",
    ]
    assert call.times(TentativeUserTranscript)[0] < stopped + 0.2


def test_nothing_heard_is_not_told() -> None:
    call = Call(agent(events=["tentative_user_transcript", "user_transcript"]))
    call.says("", seconds=0.3)
    call.silence(2)
    assert call.outline() == ["metadata"]


def test_an_answer_that_is_ready_early_is_told_to_who_asks() -> None:
    call = Call(agent(events=["internal_tentative_agent_response", "user_transcript"]))
    call.model_s = call.token_s = 0.001
    call.silence(1)
    call.says("oi")
    call.silence(1)
    [early] = call.messages(InternalTentativeAgentResponse)
    assert early.tentative_agent_response == "Você disse oi."
    assert call.times(InternalTentativeAgentResponse) < call.times(UserTranscript)


def test_the_judges_view_is_told_to_who_asks() -> None:
    call = Call(agent(events=["internal_turn_probability"]), judge=lambda _: Judgement(0.7, 0.0))
    call.silence(1)
    call.says("oi")
    call.silence(1)
    assert call.messages(InternalTurnProbability) == [InternalTurnProbability(0.7)]


@pytest.mark.parametrize("voice", [tone, timed])
def test_alignment_is_told_where_the_voice_gives_it(voice: Callable[[str], Sequence[Piece]]) -> None:
    call = Call(agent(GREETING), voice=voice)
    call.silence(3)
    events = [json.loads(encode(message))["audio_event"] for message in call.messages(Audio)]
    if voice is tone:
        assert all(set(event) == {"audio_base_64", "event_id"} for event in events)
        return
    told = [event["alignment"] for event in events if "alignment" in event]
    assert all(event.get("alignment", {}) is not None for event in events)
    assert "".join(char for alignment in told for char in alignment["chars"]) == GREETING
    for alignment in told:
        assert len(alignment["chars"]) == len(alignment["char_start_times_ms"]) == len(alignment["char_durations_ms"])


def test_every_answer_is_told_to_be_complete_once_heard_or_cut_off() -> None:
    call = everything()
    answers_told = [message.event_id for message in call.messages(AgentResponse)]
    completed = [message.event_id for message in call.messages(AgentResponseComplete)]
    assert completed == answers_told
    [cut] = call.times(Interruption)
    assert call.times(AgentResponseComplete)[2] == cut
    after_greeting = [m for _, m in call.sent[index(call, AgentResponseComplete) :] if isinstance(m, Audio)]
    greeted = [m for _, m in call.sent[: index(call, AgentResponseComplete)] if isinstance(m, Audio)]
    assert sum(len(m.audio_base_64) for m in greeted) / 32_000 == pytest.approx(len(GREETING) / 14, abs=0.1)
    assert after_greeting


def test_chat_parts_that_start_also_stop() -> None:
    """Also those of an answer that the caller's next words made void before it was heard."""

    def slowly(text: str) -> list[Piece]:
        return ["Você ", "disse", *([None] if text == "quero um café" else ["."])]

    call = Call(agent(events=[*EVENTS, "agent_chat_response_part"]), model=slowly)
    call.silence(1)
    call.says("quero um café")
    call.silence(1)
    call.says("com leite")
    call.silence(3)
    assert len(call.messages(UserTranscript)) == 2
    told = Counter((part.event_id, part.type) for part in call.messages(AgentChatResponsePart) if part.type != "delta")
    assert {event_id for event_id, _ in told} == {m.event_id for m in call.messages(AgentChatResponsePart)}
    assert all(told[event_id, "start"] == told[event_id, "stop"] == 1 for event_id, _ in told)


def test_pings_continue_the_sequence() -> None:
    call = everything()
    before = [m.event_id for _, m in call.sent[: index(call, Ping)] if hasattr(m, "event_id")]
    assert call.messages(Ping)[0].event_id > max(before)
