"""Each message that a client may send in a conversation, and what comes of it. Tools have tests of their own."""

import pytest
from msgspec import Raw

from serve_app.conversation import client_messages
from serve_app.conversation.client_messages import (
    ClientMessage,
    ClientToolResult,
    ConfigOverride,
    ContextualUpdate,
    ConversationInitiation,
    Feedback,
    FileInput,
    McpToolApprovalResult,
    MultimodalMessage,
    Pong,
    UserActivity,
    UserAudioChunk,
    UserMessage,
)
from serve_app.conversation.dialogue import Message
from serve_app.conversation.protocol import decode
from serve_app.conversation.server_messages import (
    AgentResponse,
    Audio,
    ConversationInitiationMetadata,
    Error,
    UserTranscript,
)
from tests.conversation.score import GREETING, Call, agent, conversation_of

WIRE = {
    '{"user_audio_chunk":"AAA="}': UserAudioChunk(b"\0\0"),
    '{"type":"pong","event_id":1}': Pong(1),
    '{"type":"user_message","text":"oi"}': UserMessage("oi"),
    '{"type":"user_activity"}': UserActivity(),
    '{"type":"contextual_update","text":"x","context_id":"a"}': ContextualUpdate("x", "a"),
    '{"type":"contextual_update","text":"x"}': ContextualUpdate("x"),
    '{"type":"feedback","event_id":1,"score":"like"}': Feedback(1, "like"),
    '{"type":"feedback","event_id":1,"score":null}': Feedback(1, None),
    '{"type":"client_tool_result","tool_call_id":"a","result":{"x":1},"is_error":false}': ClientToolResult(
        "a", {"x": 1}, False
    ),
    '{"type":"mcp_tool_approval_result","tool_call_id":"a","is_approved":true}': McpToolApprovalResult("a", True),
    '{"type":"multimodal_message","text":{"type":"user_message","text":"oi"}}': MultimodalMessage(UserMessage("oi")),
    '{"type":"conversation_initiation_client_data"}': ConversationInitiation(),
}


@pytest.mark.parametrize("text", WIRE)
def test_messages_of_the_wire_are_taken_and_the_call_goes_on(text: str) -> None:
    message = decode(text)
    assert message == WIRE[text]
    call = Call(agent(GREETING))
    call.silence(4)
    call.sends(message)
    call.silence(4)
    assert not call.ended
    call.types("quero um café")
    call.silence(4)
    assert call.outline()[-1] == "audio"
    assert call.messages(AgentResponse)[-1].agent_response.endswith("quero um café.")


def test_there_is_a_test_for_each() -> None:
    taken = {type(message) for message in WIRE.values()} | {client_messages.EnclaveSetupConfig}
    assert taken == set(client_messages.CLIENT_MESSAGES.values()) | {UserAudioChunk}


# ---- context


def told(*messages: ClientMessage) -> list[Message]:
    """What the model is told after these, and "oi"."""
    call = Call(agent(prompt="Seja breve."))
    for message in messages:
        call.sends(message)
    call.types("oi")
    return conversation_of(call)[1:-1]


def notes(*contents: str) -> list[Message]:
    return [Message("system", content) for content in contents]


def test_context_is_told_to_the_model_and_answered_by_nobody() -> None:
    call = Call(agent(prompt="Seja breve."))
    call.sends(ContextualUpdate("A página é a dos preços."))
    call.silence(3)
    assert call.thought == []
    assert call.outline() == ["metadata"]
    assert told(ContextualUpdate("A página é a dos preços.")) == notes("A página é a dos preços.")


def test_the_newest_of_a_context_counts() -> None:
    updates = [
        ContextualUpdate("página 1", "page"),
        ContextualUpdate("carrinho 1", "cart"),
        ContextualUpdate("página 2", "page"),
    ]
    assert told(*updates) == notes("carrinho 1", "página 2")


def test_contexts_without_an_id_add_up() -> None:
    assert told(ContextualUpdate("um"), ContextualUpdate("um"), ContextualUpdate("dois")) == notes("um", "um", "dois")


def test_context_during_an_answer_does_not_disturb_it() -> None:
    call = Call(agent(GREETING))
    call.silence(0.5)
    call.sends(ContextualUpdate("página 1", "page"))
    call.silence(4)
    assert call.outline() == ["metadata", f"agent: {GREETING}", "audio"]
    call.types("oi")
    assert set(conversation_of(call)[:2]) == {Message("assistant", GREETING), Message("system", "página 1")}


def test_the_newest_context_replaces_one_from_turns_ago() -> None:
    call = Call()
    call.sends(ContextualUpdate("página 1", "page"))
    call.types("oi")
    call.silence(3)
    call.sends(ContextualUpdate("página 2", "page"))
    call.types("tchau")
    assert conversation_of(call) == [
        Message("user", "oi"),
        Message("assistant", "Você disse oi."),
        Message("system", "página 2"),
        Message("user", "tchau"),
    ]


def test_context_is_recorded() -> None:
    call = Call()
    call.sends(ContextualUpdate("página 1", "page"))
    assert call.log("context") == [{"text": "página 1", "context_id": "page"}]


# ---- feedback


@pytest.mark.parametrize("score", ["like", "dislike", None])
def test_feedback_is_recorded(score: str | None) -> None:
    call = Call(agent(GREETING))
    call.silence(3)
    last = call.messages(Audio)[-1].event_id
    call.sends(Feedback(last, score))  # type: ignore[arg-type]
    assert call.log("feedback") == [{"event_id": last, "score": score}]
    assert call.messages(Error) == []


def test_feedback_on_the_first_event_is_feedback() -> None:
    call = Call(agent(GREETING))
    call.silence(1)
    call.sends(Feedback(1, "like"))
    assert call.log("feedback") == [{"event_id": 1, "score": "like"}]


@pytest.mark.parametrize("event_id", [0, -1, 10_000])
def test_feedback_on_nothing_is_an_error(event_id: int) -> None:
    call = Call(agent(GREETING))
    call.sends(Feedback(event_id, "like"))
    [error] = call.messages(Error)
    assert (error.code, error.error_type) == (1008, "value_error")
    assert str(event_id) in error.message
    assert call.log("feedback") == []


# ---- what is not served


def test_approval_of_an_mcp_tool_is_an_error() -> None:
    call = Call()
    call.sends(McpToolApprovalResult("call_9", is_approved=True))
    [error] = call.messages(Error)
    assert "call_9" in error.message
    assert call.log("error")[0]["code"] == error.code == 1008


FILE = FileInput("file_1")


@pytest.mark.parametrize(
    "message",
    [
        MultimodalMessage(UserMessage("olha isto"), FILE, [FILE]),
        MultimodalMessage(UserMessage("olha isto"), files=[FILE]),
        MultimodalMessage(UserMessage("olha isto"), file=FILE),
    ],
)
def test_files_are_refused_and_the_text_is_taken(message: MultimodalMessage) -> None:
    call = Call()
    call.sends(message)
    call.silence(3)
    assert call.outline()[1:] == ["error", "user: olha isto", "agent: Você disse olha isto.", "audio"]


def test_a_file_alone_is_refused() -> None:
    call = Call()
    call.sends(MultimodalMessage(file=FILE, files=[FILE]))
    call.silence(3)
    assert call.outline()[1:] == ["error"]


def test_text_alone_is_a_message() -> None:
    call = Call()
    call.sends(MultimodalMessage(UserMessage("oi")))
    call.silence(3)
    assert call.outline()[1:] == ["user: oi", "agent: Você disse oi.", "audio"]


@pytest.mark.parametrize(
    "message", [MultimodalMessage(), MultimodalMessage(UserMessage()), MultimodalMessage(files=[])]
)
def test_nothing_is_nothing(message: MultimodalMessage) -> None:
    call = Call()
    call.sends(message)
    call.silence(3)
    assert call.outline() == ["metadata"]


def test_a_second_opening_changes_nothing() -> None:
    call = Call(agent(GREETING))
    call.silence(3)
    call.sends(ConversationInitiation(ConfigOverride(text_only=True), dynamic_variables={"x": 1}))
    call.says("oi")
    call.silence(3)
    assert len(call.messages(ConversationInitiationMetadata)) == 1
    assert not call.conversation.text_only
    assert call.outline()[-3:] == ["user: oi", "agent: Você disse oi.", "audio"]


@pytest.mark.parametrize(
    "field", ["starting_workflow_node_id", "procedure_ids", "start_procedure_ids", "tool_mock_config"]
)
def test_what_the_opening_asks_for_in_vain_is_told_after_metadata(field: str) -> None:
    value = {"starting_workflow_node_id": b'"n"', "tool_mock_config": b'{"a":1}'}.get(field, b'["p"]')
    call = Call(agent(GREETING), initiation=ConversationInitiation(**{field: Raw(value)}))  # type: ignore[arg-type]
    call.silence(3)
    assert call.outline() == ["metadata", "error", f"agent: {GREETING}", "audio"]
    assert field in call.messages(Error)[0].message


# ---- typing and speaking


def test_typing_takes_the_place_of_speech_under_way() -> None:
    call = Call()
    call.silence(1)
    call.says("quero um")
    call.types("escrevi")
    call.silence(3)
    assert [m.user_transcript for m in call.messages(UserTranscript)] == ["escrevi"]
    assert call.outline()[-2:] == ["agent: Você disse escrevi.", "audio"]


def test_speech_after_typing_interrupts_as_usual() -> None:
    call = Call()
    call.types("conte uma história bem comprida")
    call.silence(1)
    call.says("pare por favor")
    call.silence(3)
    assert "interruption" in call.outline()
    assert call.outline()[-2:] == ["agent: Você disse pare por favor.", "audio"]
