"""Calls on which the caller's words are hard to make out: they are asked again, and never a third time."""

from msgspec.structs import replace

from serve_app.conversation.agent import Hello
from serve_app.conversation.notes import UNCLEAR_NOTE, WAY_OUT_NOTE
from serve_app.conversation.server_messages import UserTranscript
from tests.conversation.score import Call, agent, conversation_of
from tests.conversation.toolkit import client, equipped


def unclear() -> Call:
    call = Call()
    call.confidence = 0.4
    call.silence(1)
    return call


def says(call: Call, text: str) -> str:
    """What the model was told last about it."""
    call.says(text)
    call.silence(4)
    return conversation_of(call)[-1].content


def test_the_caller_is_asked_twice_and_then_offered_a_way_out() -> None:
    call = unclear()
    notes = [says(call, text) for text in ("quero um café", "quero um chá", "quero um bolo")]
    assert notes == [UNCLEAR_NOTE, UNCLEAR_NOTE, WAY_OUT_NOTE]
    assert says(call, "quero um suco") == "quero um suco", "what was heard has to do"


def test_words_that_are_clear_begin_anew() -> None:
    call = unclear()
    says(call, "quero um café")
    call.confidence = 0.8
    assert says(call, "quero um chá") == "quero um chá"
    call.confidence = 0.4
    assert says(call, "quero um bolo") == UNCLEAR_NOTE


def test_what_was_heard_is_told_to_the_client_and_to_the_model() -> None:
    call = unclear()
    says(call, "quero um café")
    assert [m.user_transcript for m in call.messages(UserTranscript)] == ["quero um café"]
    assert conversation_of(call)[-2].content == "quero um café"
    assert call.log("user_turn")[0]["confidence"] == 0.4


def test_nothing_is_done_on_words_that_may_be_wrong() -> None:
    call = Call(equipped(client()))
    call.silence(1)
    says(call, "abre a porta")
    assert call.thought[-1].tools
    call.confidence = 0.4
    says(call, "abre a porta")
    assert not call.thought[-1].tools


def test_how_sure_is_sure_is_the_agents_to_say() -> None:
    call = Call(replace(agent(), hello=Hello(confidence_threshold=0.3)))
    call.confidence = 0.4
    call.silence(1)
    assert says(call, "quero um café") == "quero um café"


def test_a_typed_message_is_never_unclear() -> None:
    call = unclear()
    call.types("oi")
    call.silence(2)
    assert conversation_of(call)[-1].content == "oi"
