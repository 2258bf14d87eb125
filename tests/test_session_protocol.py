"""What a session does with the messages beyond audio: openings that are refused, tools, text, and the ways to end."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from serve_app.conversation.agent import Agent, Rules, Turn
from serve_app.conversation.tools import (
    ApiSchema,
    BuiltInTools,
    EndCall,
    Property,
    SystemTool,
    ToolCall,
    WebhookTool,
)
from serve_app.errors import ToolError
from tests.caller import INITIATION, Call, a_turn, agent, play
from tests.conversation.score import EVENTS
from tests.fakes.ports import Scripted, ScriptedWebhooks

FIND = WebhookTool(
    name="find",
    description="",
    api_schema=ApiSchema("http://127.0.0.1/{n}", path_params_schema={"n": Property("string", description="n")}),
)
END_CALL = SystemTool(name="end_call", params=EndCall())


class CallingModel(Scripted):
    """Asks for a tool, then says what came of it."""

    def __init__(self, *calls: ToolCall) -> None:
        super().__init__()
        self.calls = calls
        self.asked: list[Sequence[Any]] = []

    async def reply(self, request: Any) -> Any:
        with self._work():
            self.asked.append(request.messages)
            if request.messages[-1].role == "tool":
                yield f"Veio {request.messages[-1].content}."
            else:
                for call in self.calls:
                    yield call


def changed(described: Agent, *, text_only: bool = False, turn: Turn | None = None, **prompt: Any) -> Agent:
    replace = msgspec.structs.replace
    config = described.conversation_config
    rules = Rules(text_only=text_only, client_events=(*EVENTS, "agent_chat_response_part", "agent_tool_response"))
    persona = replace(config.agent, prompt=replace(config.agent.prompt, **prompt))
    config = replace(config, agent=persona, conversation=rules, turn=turn or config.turn)
    return replace(described, conversation_config=config)


def typed(text: str) -> str:
    return json.dumps({"type": "user_message", "text": text})


async def a_typed_turn(call: Call) -> None:
    await call.sends(INITIATION)
    await call.sends(typed("onde está"))
    await asyncio.sleep(5)


@pytest.mark.parametrize(
    ("webhooks", "said"),
    [
        (ScriptedWebhooks("ok", delay_s=0.3), "Veio ok."),
        (ScriptedWebhooks(fault=ToolError("HTTP 404")), "Veio HTTP 404."),
    ],
)
def test_a_webhook_is_called_and_its_outcome_told(webhooks: ScriptedWebhooks, said: str) -> None:
    model = CallingModel(ToolCall("c1", "find", '{"n": "7"}'))
    call = play(a_typed_turn, changed(agent(), tools=(FIND,)), model=model, webhooks=webhooks)
    assert webhooks.called == [("find", {"n": "7"})]
    assert call.wire.events("agent_response")[0]["agent_response"] == said
    assert [e.kind for e in call.log.entries if e.kind.startswith("tool")] == ["tool_call", "tool_result"]


def test_a_webhook_under_way_is_broken_off_with_its_answer() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.sends(typed("onde está"))
        await asyncio.sleep(1)
        await call.sends(typed("deixa"))
        await asyncio.sleep(1)

    webhooks = ScriptedWebhooks(hangs=True)
    call = play(
        score,
        changed(agent(), tools=(FIND,)),
        model=CallingModel(ToolCall("c1", "find", '{"n": "7"}')),
        webhooks=webhooks,
    )
    assert webhooks.begun == 2
    assert webhooks.cancelled >= 1
    assert call.wire.closed is None


def test_a_conversation_by_text_touches_neither_recogniser_nor_voice() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.speaks()
        await call.sends(typed("oi"))
        await asyncio.sleep(1)

    call = play(score, changed(agent("Olá!"), text_only=True))
    assert call.transcriber.begun == call.speaker.begun == call.judge.begun == 0
    assert [e["agent_response"] for e in call.wire.events("agent_response")] == ["Olá!", "Pois não. Sai já um café."]
    assert len(call.wire.events("error")) == 1, "said once"
    assert "text only" in call.wire.events("error")[0]["message"]
    assert "audio" not in call.wire.types()


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ({"conversation_config_override": {"agent": {"first_message": "Oi"}}}, "agent.first_message"),
        ({"dynamic_variables": {}}, "customer"),
    ],
)
def test_a_refused_opening_is_a_close_and_nothing_else(first: dict[str, Any], reason: str) -> None:
    async def score(call: Call) -> None:
        await call.sends(json.dumps({"type": "conversation_initiation_client_data", **first}))

    call = play(score, agent("Oi, {{customer}}!" if "dynamic_variables" in first else ""), hangs_up=False)
    assert call.wire.frames == []
    assert call.wire.closed is not None
    assert call.wire.closed[0] == 1008
    assert reason in str(call.wire.closed[1])
    assert call.log.entries == []


def test_an_agent_brought_by_the_client_is_refused() -> None:
    async def score(call: Call) -> None:
        await call.sends('{"type": "enclave_setup_config", "agent_config_dict": {"prompt": "x"}}')

    call = play(score, hangs_up=False)
    assert call.wire.frames == []
    assert call.wire.closed is not None
    assert call.wire.closed[0] == 1008


def test_a_call_that_the_agent_ends_is_no_failure() -> None:
    model = CallingModel(ToolCall("c1", "end_call", '{"message": "Até logo!"}'))
    call = play(
        a_typed_turn, changed(agent(), built_in_tools=BuiltInTools(end_call=END_CALL)), model=model, hangs_up=False
    )
    assert call.wire.closed == (1000, "the agent ended the call")
    assert call.wire.events("error") == []
    assert call.wire.types()[-1] == "agent_tool_response"
    ended = call.log.entries[-1].data
    assert (ended["status"], ended["error"], ended["close_code"]) == ("done", None, 1000)


def test_a_caller_who_never_speaks_is_hung_up_on() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.is_silent(12)

    call = play(score, changed(agent(), turn=Turn(turn_timeout=30, silence_end_call_timeout=10)), hangs_up=False)
    assert call.wire.closed is not None
    assert call.wire.closed[0] == 1000
    assert call.wire.events("error")[-1]["code"] == 1000
    assert call.log.entries[-1].data["status"] == "done"


def test_a_line_that_goes_dead_ends_the_call() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await asyncio.sleep(30)

    call = play(score, hangs_up=False)
    assert call.wire.closed is not None
    assert call.wire.closed[0] == 1002
    assert call.wire.events("error")[-1]["error_type"] == "websocket_disconnect"
    assert call.log.entries[-1].data["duration_secs"] == pytest.approx(21, abs=0.1)


def test_the_recogniser_is_told_which_words_to_expect() -> None:
    described = agent()
    config = msgspec.structs.replace(
        described.conversation_config, asr=msgspec.structs.replace(described.conversation_config.asr, keywords=("Pix",))
    )
    call = play(a_turn, msgspec.structs.replace(described, conversation_config=config))
    assert set(call.transcriber.keywords) == {("Pix",)}
