from collections.abc import Mapping
from typing import Any

import pytest

from serve_app.conversation.actions import Action, CallWebhook, Log, Send
from serve_app.conversation.agent import Agent
from serve_app.conversation.client_messages import ClientToolResult, ConversationInitiation
from serve_app.conversation.guarding import Guarding
from serve_app.conversation.identity import Identity
from serve_app.conversation.opening import begin
from serve_app.conversation.outgoing import Outgoing
from serve_app.conversation.reply import Reply
from serve_app.conversation.server_messages import (
    SERVER_MESSAGES,
    AgentToolRequest,
    AgentToolResponse,
    AgentToolResponseFullPayload,
    ClientToolCall,
)
from serve_app.conversation.tool_use import LONGEST_RESULT, Outcome
from serve_app.conversation.toolbox import SENT, SLACK_S, Toolbox
from serve_app.conversation.tools import ToolCall
from serve_app.conversation.turn_metrics import TurnMetrics
from serve_app.errors import Finished
from tests.conversation.score import agent
from tests.conversation.toolkit import asks, client, equipped, system, taking, webhook

CHARGE = taking(valor={"type": "number", "description": "Quanto"})
MOVE = {"agent_id": "b", "condition": "quer pagar"}
TOOLS = (
    client(response_timeout_secs=5),
    client("avisar", expects_response=False),
    client("cobrar", parameters=CHARGE, response_timeout_secs=9),
    webhook(response_timeout_secs=7),
    system("end_call"),
    system("skip_turn"),
    system("language_detection"),
    system("transfer_to_agent", transfers=[MOVE, {**MOVE, "transfer_message": "Vou passar."}]),
)


class Bench:
    """A toolbox, and the reply it works for."""

    def __init__(self, agents: Mapping[str, Agent] | None = None) -> None:
        self.out = Outgoing()
        self.out.events = frozenset(SERVER_MESSAGES)
        described = equipped(*TOOLS)
        self.identity = Identity(begin(described, ConversationInitiation(), {}), agents or {"b": agent("Aqui é o B.")})
        self.toolbox = Toolbox(self.out, self.identity, Guarding(self.out, self.identity))
        self.reply = Reply(1, "pt", self.identity.voice, TurnMetrics())

    def use(self, *calls: ToolCall, now: float = 10.0) -> list[Action]:
        self.toolbox.use(self.reply, calls, now)
        return self.out.take()

    def answer(self, call_id: str, result: Any = "ok", *, is_error: bool = False) -> bool:
        return self.toolbox.answered(self.reply, ClientToolResult(call_id, result, is_error), 11.0)

    def outcomes(self) -> dict[str, Outcome | None]:
        return {use.call.id: use.outcome for use in self.reply.rounds[-1].uses}

    def pending(self) -> list[str]:
        return [use.call.id for use in self.reply.pending]


def messages(actions: list[Action]) -> list[object]:
    return [action.message for action in actions if isinstance(action, Send)]


def test_a_call_is_told_before_it_is_made_and_its_outcome_after() -> None:
    bench = Bench()
    request, call = messages(bench.use(asks("abrir", "a")))
    assert request == AgentToolRequest("abrir", "a", "client", 1)
    assert call == ClientToolCall("abrir", "a", {}, 2, expects_response=True)
    assert bench.answer("a", {"x": 1})
    response, payload = messages(bench.out.take())
    assert response == AgentToolResponse("abrir", "a", "client", 3, is_error=False, is_called=True)
    assert payload == AgentToolResponseFullPayload(
        "abrir", "a", "client", 3, is_error=False, is_called=True, full_tool_result='{"x":1}', truncated=False
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("abrir", "client"), ("buscar", "webhook"), ("end_call", "system"), ("explodir", "unknown")]
)
def test_the_kind_of_a_tool_is_told(name: str, kind: str) -> None:
    [request, *_] = messages(Bench().use(asks(name)))
    assert isinstance(request, AgentToolRequest)
    assert request.tool_type == kind


def test_a_webhook_is_asked_for_with_what_it_needs() -> None:
    bench = Bench()
    [asked] = [action for action in bench.use(asks("buscar", "a")) if isinstance(action, CallWebhook)]
    assert (asked.reply, asked.call_id, asked.tool, asked.arguments) == (1, "a", bench.identity.tools["buscar"], {})
    assert asked.variables == bench.identity.variables


def test_each_tool_has_a_time_of_its_own() -> None:
    bench = Bench()
    bench.use(asks("abrir", "a"), asks("buscar", "b"), asks("cobrar", "c", valor=1), now=10.0)
    assert [use.due for use in bench.reply.pending] == [15.0, 17.0 + SLACK_S, 19.0]
    bench.toolbox.expire(bench.reply, 15.0)
    assert bench.pending() == ["b", "c"]
    bench.toolbox.expire(bench.reply, 17.0)
    assert bench.pending() == ["b", "c"]
    bench.toolbox.expire(bench.reply, 19.0)
    assert bench.pending() == []
    assert {outcome and outcome.is_error for outcome in bench.outcomes().values()} == {True}


def test_a_tool_that_gives_no_answer_is_done_at_once() -> None:
    bench = Bench()
    bench.use(asks("avisar", "a"))
    assert bench.outcomes() == {"a": Outcome(SENT, is_final=True)}


@pytest.mark.parametrize(
    "call",
    [
        asks("explodir"),
        asks("cobrar"),
        asks("cobrar", valor="dez"),
        ToolCall("call_1", "cobrar", '{"valor":'),
        ToolCall("call_1", "cobrar", "[1]"),
        ToolCall("call_1", "skip_turn", "null"),
        asks("language_detection", language="fr"),
        asks("transfer_to_agent", agent_number=2),
        asks("transfer_to_agent"),
    ],
    ids=lambda call: f"{call.name} {call.arguments}",
)
def test_what_cannot_be_called_is_settled_as_not_called(call: ToolCall) -> None:
    bench = Bench()
    actions = bench.use(call)
    [outcome] = bench.outcomes().values()
    assert outcome is not None
    assert (outcome.is_error, outcome.is_called) == (True, False)
    assert outcome.text
    assert not [m for m in messages(actions) if isinstance(m, ClientToolCall)]
    assert not bench.answer(call.id), "the client was never asked"
    assert not bench.reply.silent
    assert bench.identity.language == "pt"


# ---- the client's answers


def test_an_answer_settles_its_call_and_no_other() -> None:
    bench = Bench()
    bench.use(asks("abrir", "a"), asks("abrir", "b"))
    assert bench.answer("b", "segunda")
    assert bench.outcomes() == {"a": None, "b": Outcome("segunda")}


def test_an_answer_to_what_is_settled_is_known_and_changes_nothing() -> None:
    bench = Bench()
    bench.use(asks("abrir", "a"))
    bench.answer("a", "primeira")
    bench.out.take()
    assert bench.answer("a", "segunda")
    assert bench.out.take() == []
    assert bench.outcomes() == {"a": Outcome("primeira")}


def test_so_is_one_to_a_reply_that_is_gone() -> None:
    bench = Bench()
    bench.use(asks("abrir", "a"))
    assert bench.toolbox.answered(None, ClientToolResult("a", "ok", is_error=False), 20.0)
    assert bench.outcomes() == {"a": None}


@pytest.mark.parametrize("call_id", ["b", "c", ""])
def test_an_answer_to_no_call_of_the_clients_is_unknown(call_id: str) -> None:
    bench = Bench()
    bench.use(asks("abrir", "a"), asks("buscar", "b"))
    assert not bench.answer(call_id)
    assert bench.pending() == ["a", "b"]


def test_a_long_answer_is_cut_for_all() -> None:
    bench = Bench()
    bench.use(asks("abrir", "a"))
    bench.answer("a", "x" * (LONGEST_RESULT + 1))
    actions = bench.out.take()
    [payload] = [m for m in messages(actions) if isinstance(m, AgentToolResponseFullPayload)]
    [logged] = [action.data["result"] for action in actions if isinstance(action, Log)]
    assert payload.truncated
    assert payload.full_tool_result == logged
    assert len(logged) < LONGEST_RESULT + 10


# ---- our own


def test_the_end_of_the_call_is_told_later() -> None:
    bench = Bench()
    actions = bench.use(asks("end_call", "a"))
    assert not [m for m in messages(actions) if isinstance(m, AgentToolResponse)]
    assert isinstance(bench.reply.ends, Finished)
    assert bench.reply.hanging_up is not None
    assert bench.pending() == [], "nothing waits for it"


def test_a_skipped_turn_is_silent_and_the_last_word() -> None:
    bench = Bench()
    bench.use(asks("skip_turn"))
    assert bench.reply.silent
    assert bench.reply.last_word


def test_a_transfer_may_be_announced_in_the_old_voice() -> None:
    bench = Bench()
    old = bench.reply.voice
    bench.use(asks("transfer_to_agent", agent_number=1))
    [wanted] = bench.reply.next_clauses(10.0)
    assert (wanted.clause.text, wanted.voice) == ("Vou passar.", old)
    assert bench.reply.voice == bench.identity.voice
    assert bench.identity.agent.conversation_config.agent.first_message == "Aqui é o B."
