import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.conversation.actions import Send
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.parts import Part, Parts
from serve_app.conversation.server_messages import AgentChatResponsePart, AgentReasoningResponsePart


def sent(out: Outgoing) -> list[tuple[str, str]]:
    told = [action.message for action in out.take() if isinstance(action, Send)]
    assert all(isinstance(part, AgentChatResponsePart | AgentReasoningResponsePart) for part in told)
    return [(part.type, part.text) for part in told]  # type: ignore[attr-defined]


def new_parts(kind: Part = AgentChatResponsePart) -> tuple[Parts, Outgoing]:
    out = Outgoing()
    out.events = frozenset({kind.TYPE})
    return Parts(kind, out, 7), out


def test_a_text_starts_grows_and_stops() -> None:
    parts, out = new_parts()
    parts.advance("Um")
    parts.advance("Um dois")
    parts.stop()
    assert sent(out) == [("start", ""), ("delta", "Um"), ("delta", " dois"), ("stop", "")]


def test_what_did_not_grow_is_not_told() -> None:
    parts, out = new_parts()
    parts.advance("")
    assert sent(out) == []
    parts.advance("Um")
    sent(out)
    parts.advance("Um")
    assert sent(out) == []


def test_what_never_started_does_not_stop() -> None:
    parts, out = new_parts()
    parts.stop()
    assert sent(out) == []


def test_it_stops_once() -> None:
    parts, out = new_parts()
    parts.advance("Um")
    parts.stop()
    parts.stop()
    assert [kind for kind, _ in sent(out)].count("stop") == 1


@pytest.mark.parametrize("kind", [AgentChatResponsePart, AgentReasoningResponsePart])
def test_all_have_the_id_of_their_answer(kind: Part) -> None:
    parts, out = new_parts(kind)
    parts.advance("Um")
    parts.stop()
    told = [action.message for action in out.take() if isinstance(action, Send)]
    assert told == [kind("", "start", 7), kind("Um", "delta", 7), kind("", "stop", 7)]


@given(st.lists(st.text(max_size=5), max_size=8))
def test_the_deltas_are_the_text(pieces: list[str]) -> None:
    parts, out = new_parts()
    text = ""
    for piece in pieces:
        text += piece
        parts.advance(text)
    parts.stop()
    told = sent(out)
    assert "".join(delta for kind, delta in told if kind == "delta") == text
    assert [kind for kind, _ in told if kind != "delta"] == (["start", "stop"] if text else [])
    assert all(delta for kind, delta in told if kind == "delta")
