import pytest

from serve_app.conversation.actions import Log, Send
from serve_app.conversation.agent import Voice
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.reply import Reply
from serve_app.conversation.server_messages import (
    AgentChatResponsePart,
    AgentReasoningResponsePart,
    AgentResponse,
    AgentResponseComplete,
    AgentResponseCorrection,
    AgentResponseMetadata,
    ServerMessage,
)
from serve_app.conversation.tool_use import ToolUse
from serve_app.conversation.turn_metrics import TurnMetrics
from serve_app.conversation.writing import Writing
from tests.conversation.toolkit import asks

WHOLE = frozenset({"agent_response", "agent_response_correction"})
PARTS = frozenset({"agent_chat_response_part", "agent_reasoning_response_part"})


class Pen:
    """A reply that is being written, and what is told of it."""

    def __init__(self, events: frozenset[str] = WHOLE) -> None:
        self.out = Outgoing()
        self.out.events = events
        self.reply = Reply(1, "pt", Voice(), TurnMetrics(model_asked=0.0))
        self.writing = Writing(self.reply, self.out)
        self.logged: list[Log] = []

    def writes(self, text: str) -> None:
        self.reply.token(text, 0.5)
        self.writing.advance()

    def uses_a_tool(self) -> None:
        self.reply.flush(0.6)
        self.writing.close()
        self.reply.call_tools([ToolUse(asks("abrir"), None, 0.6)], 0.6)

    def told(self) -> list[ServerMessage]:
        actions = self.out.take()
        self.logged += [action for action in actions if isinstance(action, Log)]
        return [action.message for action in actions if isinstance(action, Send)]

    def responses(self) -> list[str]:
        self.writing.announce(1.0)
        return [message.agent_response for message in self.told() if isinstance(message, AgentResponse)]


def test_an_answer_is_announced_when_it_is_whole_and_once() -> None:
    pen = Pen()
    pen.writes("Um dois")
    assert pen.responses() == []
    pen.writes(" três.")
    pen.writing.close()
    assert pen.responses() == ["Um dois três."]
    assert pen.responses() == []


def test_what_is_said_between_two_tools_is_an_answer_of_its_own() -> None:
    pen = Pen()
    pen.writes("Vou ver. ")
    pen.uses_a_tool()
    pen.writes(" Achei.")
    assert pen.responses() == ["Vou ver."]
    pen.uses_a_tool()
    pen.writes("Pronto.")
    pen.writing.close()
    assert pen.responses() == ["Achei.", "Pronto."]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_nothing_between_two_tools_is_no_answer(text: str) -> None:
    pen = Pen()
    pen.writes("Vou ver.")
    pen.uses_a_tool()
    pen.writes(text)
    pen.uses_a_tool()
    pen.writes("Pronto.")
    pen.writing.close()
    assert pen.responses() == ["Vou ver.", "Pronto."]


def test_only_the_first_tells_where_the_time_went() -> None:
    pen = Pen(WHOLE | {"agent_response_metadata"})
    pen.writes("Vou ver.")
    pen.uses_a_tool()
    pen.writes("Pronto.")
    pen.writing.close()
    pen.writing.announce(1.0)
    assert [type(message) for message in pen.told()] == [AgentResponse, AgentResponseMetadata, AgentResponse]
    first, second = (entry.data["metrics"] for entry in pen.logged)
    assert first["convai_llm_service_ttfb"] == 0.5
    assert second == {}


def test_parts_come_under_the_id_of_their_answer() -> None:
    pen = Pen(WHOLE | PARTS | {"agent_response_complete"})
    pen.writes("Vou")
    pen.writes(" ver.")
    pen.uses_a_tool()
    pen.writes("Pronto.")
    pen.writing.close()
    pen.writing.announce(1.0)
    pen.writing.complete()
    told = pen.told()
    first, second = (message.event_id for message in told if isinstance(message, AgentResponse))
    assert first != second
    parts = [(m.type, m.text, m.event_id) for m in told if isinstance(m, AgentChatResponsePart)]
    assert parts == [
        ("start", "", first),
        ("delta", "Vou", first),
        ("delta", " ver.", first),
        ("stop", "", first),
        ("start", "", second),
        ("delta", "Pronto.", second),
        ("stop", "", second),
    ]
    assert told[-2:] == [AgentResponseComplete(first), AgentResponseComplete(second)]


def test_thoughts_are_told_apart_and_once() -> None:
    pen = Pen(PARTS)
    pen.reply.reasoning = "Ele quer"
    pen.writing.advance()
    pen.reply.reasoning += " entrar."
    pen.writes("Entre.")
    pen.writing.close()
    pen.reply.reasoning = "De novo."
    pen.writing.advance()
    pen.writing.close()
    told = pen.told()
    thoughts = [(m.type, m.text) for m in told if isinstance(m, AgentReasoningResponsePart)]
    assert thoughts == [
        ("start", ""),
        ("delta", "Ele quer"),
        ("delta", " entrar."),
        ("stop", ""),
        ("start", ""),
        ("delta", "De novo."),
        ("stop", ""),
    ]
    ids = [m.event_id for m in told if isinstance(m, AgentReasoningResponsePart)]
    assert len(set(ids)) == 2
    assert set(ids).isdisjoint(m.event_id for m in told if isinstance(m, AgentChatResponsePart))


# ---- cut off


def cut(heard: str) -> tuple[list[str], list[tuple[str, str]]]:
    """What is announced of "Vou ver." (tool) "Um dois três." and taken back, if this much was heard."""
    pen = Pen()
    pen.writes("Vou ver.")
    pen.uses_a_tool()
    pen.writes("Um dois três.")
    pen.writing.correct(heard, 1.0)
    told = pen.told()
    responses = {m.event_id: m.agent_response for m in told if isinstance(m, AgentResponse)}
    corrections = [m for m in told if isinstance(m, AgentResponseCorrection)]
    assert all(responses[m.event_id] == m.original_agent_response for m in corrections)
    assert [(e.data["original"], e.data["corrected"]) for e in pen.logged if e.kind == "correction"] == [
        (m.original_agent_response, m.corrected_agent_response) for m in corrections
    ]
    return list(responses.values()), [(m.original_agent_response, m.corrected_agent_response) for m in corrections]


BOTH = ["Vou ver.", "Um dois três."]


@pytest.mark.parametrize(
    ("heard", "corrections"),
    [
        ("Vou ver. Um dois três.", []),
        ("Vou ver. Um dois", [("Um dois três.", "Um dois")]),
        ("Vou ver.", [("Um dois três.", "")]),
        ("Vou", [("Vou ver.", "Vou"), ("Um dois três.", "")]),
        ("", [("Vou ver.", ""), ("Um dois três.", "")]),
    ],
)
def test_what_was_not_heard_is_taken_back(heard: str, corrections: list[tuple[str, str]]) -> None:
    assert cut(heard) == (BOTH, corrections)


def test_what_was_announced_is_not_announced_again() -> None:
    pen = Pen()
    pen.writes("Um dois três.")
    pen.writing.close()
    assert pen.responses() == ["Um dois três."]
    pen.writing.correct("Um", 2.0)
    assert [type(message) for message in pen.told()] == [AgentResponseCorrection]


def test_parts_stop_where_the_answer_was_cut_off() -> None:
    pen = Pen(PARTS)
    pen.writes("Um dois")
    pen.writing.correct("Um", 1.0)
    assert [m.type for m in pen.told() if isinstance(m, AgentChatResponsePart)] == ["start", "delta", "stop"]
