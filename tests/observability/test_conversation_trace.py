"""Sessions in virtual time, and the spans that come of them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import pytest

from serve_app.conversation.agent import Agent
from serve_app.errors import LanguageModelError
from serve_app.observability.conversation_trace import ConversationTrace
from serve_app.observability.spans import FinishedSpan, SpanName, Stage
from serve_app.observability.turn_trace import MOST_WORKS
from serve_app.ports import ModelRequest, ToolCall
from tests.caller import ANSWER, INITIATION, Call, a_turn, agent, play
from tests.conversation.toolkit import client, equipped, taking
from tests.fakes.ports import ScriptedJudge, ScriptedModel, ScriptedSpeaker, ScriptedTranscriber
from tests.observability.critical_path import CriticalPath
from tests.observability.memory_tracer import MemoryTracer

VOICE_TO_VOICE = "convai_ttf_audio_since_silence"
USER_TURN = {"medium": "audio", "confidence": 0.9, "language": "pt", "metrics": {}}


def traced(score: Any, described: Agent | None = None, **parts: Any) -> tuple[MemoryTracer, Call]:
    tracer = MemoryTracer()
    return tracer, play(score, described, tracer=tracer, **parts)


def slow(**parts: Any) -> dict[str, Any]:
    """Each takes its time."""
    return {
        "transcriber": ScriptedTranscriber(delay_s=0.12),
        "model": ScriptedModel(ANSWER, token_s=0.05),
        "speaker": ScriptedSpeaker(delay_s=0.08),
        **parts,
    }


def test_a_turn_is_a_tree() -> None:
    tracer, _ = traced(a_turn)
    root, turn = tracer.one("conversation"), tracer.one("turn")
    assert (root.id, root.parent) == (SpanName.of_conversation("conv_1", 0), None)
    assert turn.parent == root.id
    assert {span.id.trace_id for span in tracer.spans} == {root.id.trace_id}
    assert len({span.id for span in tracer.spans}) == len(tracer.spans)
    names = {span.name for span in tracer.below(turn)}
    assert names == {"decide", "transcribe", "judge", "think", "speak", "send"}
    assert {span.attributes["conversation_id"] for span in tracer.spans} == {"conv_1"}
    assert (root.attributes["close_code"], root.attributes["close_reason"]) == (1000, "client disconnected")


def test_the_turn_is_as_long_as_its_metrics_say() -> None:
    tracer, call = traced(a_turn, **slow())
    turn, decide = tracer.one("turn"), tracer.one("decide")
    [told] = [event for event in call.log.entries if event.kind == "agent_turn"]
    [said] = [event for event in call.log.entries if event.kind == "said"]
    for name, seconds in told.data["metrics"].items():
        assert turn.attributes[name] == seconds
    assert turn.began == decide.began
    assert decide.ended - decide.began == pytest.approx(told.data["metrics"]["convai_turn_silence_before_initiation"])
    assert turn.ended == said.at_unix
    assert (turn.attributes["turn"], turn.attributes["medium"]) == (1, "audio")
    first_audio = next(event.at_unix for event in call.log.entries if event.kind == "audio")
    assert turn.began + float(turn.attributes[VOICE_TO_VOICE]) == pytest.approx(first_audio, abs=0.001)


@pytest.mark.parametrize(("token_s", "waited_for"), [(0.01, ["decide", "transcribe"]), (0.6, ["think", "speak"])])
def test_the_critical_path_explains_the_whole_wait(token_s: float, waited_for: list[str]) -> None:
    """Where all is quick, the silence and the last words are what was waited for; a slow model shows."""
    quick = ScriptedTranscriber(delay_s=0.02)
    tracer, _ = traced(a_turn, **slow(model=ScriptedModel(ANSWER, token_s=token_s), transcriber=quick))
    turn = tracer.one("turn")
    path = CriticalPath(tracer.below(turn), turn.began, turn.began + float(turn.attributes[VOICE_TO_VOICE]))
    assert path.explained > 0.99
    assert path.names == waited_for


def test_work_begun_before_the_decision_says_so() -> None:
    tracer, _ = traced(a_turn, **slow(transcriber=ScriptedTranscriber(delay_s=0.02)))
    decide = tracer.one("decide")
    for name in ("transcribe", "think", "speak"):
        span = tracer.named(name)[-1 if name == "transcribe" else 0]
        assert span.began < decide.ended
        assert span.attributes["speculative"] is True
        assert "discarded" not in span.attributes
    think, speak = tracer.one("think"), tracer.named("speak")[0]
    assert think.attributes["first_token_ms"] == pytest.approx(50, abs=0.1)
    assert think.attributes["tokens"] == len(ANSWER.split())
    assert speak.attributes["first_audio_ms"] == pytest.approx(80, abs=0.1)


def test_what_was_begun_in_vain_belongs_to_the_turn_that_came_of_it() -> None:
    """The caller pauses for long enough to have an answer begun, and goes on."""

    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.is_silent(0.5)
        await call.speaks()
        await call.is_silent(0.2)
        call.transcriber.text = "quero um café e um pão"
        await call.speaks()
        await call.is_silent(3)

    tracer, _ = traced(score, **slow(transcriber=ScriptedTranscriber(delay_s=0.02), judge=ScriptedJudge(hangs=True)))
    turn = tracer.one("turn")
    thoughts = tracer.named("think")
    assert [span.parent for span in thoughts] == [turn.id] * len(thoughts)
    assert len(thoughts) > 1
    assert [span.attributes.get("discarded", False) for span in thoughts] == [True] * (len(thoughts) - 1) + [False]
    recognitions = tracer.named("transcribe")
    assert [span.attributes.get("discarded", False) for span in recognitions].count(False) == 1
    assert recognitions[0].attributes["discarded"] is True


class ToolUser(ScriptedModel):
    """Asks for a tool, and tells what it said."""

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall, None]:
        self.asked.append(request.messages)
        await asyncio.sleep(0.2)
        if request.messages[-1].role == "tool":
            yield "Já são três horas. "
        else:
            yield ToolCall("call_1", "get_time", '{"zone":"segredo"}')


def test_a_tool_call_is_a_span_between_two_thoughts() -> None:
    async def score(call: Call) -> None:
        turn = asyncio.create_task(a_turn(call))
        while not (asked := call.wire.events("client_tool_call")):  # noqa: ASYNC110 - in virtual time
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        result = {"tool_call_id": asked[0]["tool_call_id"], "result": "15:00", "is_error": False}
        await call.sends(json.dumps({"type": "client_tool_result", **result}))
        await turn
        await call.is_silent(1)

    tracer, _ = traced(
        score, equipped(client("get_time", parameters=taking(zone={"type": "string"}))), **slow(model=ToolUser())
    )
    turn, tool = tracer.one("turn"), tracer.one("tool get_time")
    first, second = tracer.named("think")
    speak = tracer.named("speak")[0]
    assert {first.parent, tool.parent, second.parent, speak.parent} == {turn.id}
    assert all(a.ended <= b.began + 0.001 for a, b in pairwise([first, tool, second]))
    assert tool.ended - tool.began == pytest.approx(0.3, abs=0.02)
    assert tool.attributes["type"] == "client"
    assert (first.attributes["tool_calls"], second.attributes["tokens"]) == (1, 1)
    path = CriticalPath(tracer.below(turn), turn.began, turn.began + float(turn.attributes[VOICE_TO_VOICE]))
    assert path.explained > 0.95
    assert path.names[-4:] == ["think", "tool get_time", "think", "speak"]


def test_an_interrupted_answer_ends_its_turn_and_what_it_had_begun() -> None:
    async def score(call: Call) -> None:
        await a_turn(call)
        call.transcriber.text = "espera"
        await call.speaks()
        await call.is_silent(3)

    tracer, _ = traced(score, speaker=ScriptedSpeaker(9))
    first, second = tracer.named("turn")
    assert first.attributes["interrupted"] is True
    assert first.ended <= second.began
    assert {span.attributes.get("turn") for span in (first, second)} == {1, 2}
    over = [span for span in tracer.below(first) if span.name == "judge" and span.began > first.began + 1]
    assert over, "the overlap is judged while the first answer is heard"


def test_a_greeting_is_a_turn_of_the_agents_alone() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.is_silent(3)

    tracer, _ = traced(score, agent("Olá!"))
    turn = tracer.one("turn")
    assert {span.name for span in tracer.below(turn)} == {"speak", "send"}
    assert "medium" not in turn.attributes


def test_a_typed_turn_has_nothing_to_decide() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.sends('{"type":"user_message","text":"um café"}')
        await call.is_silent(3)

    tracer, _ = traced(score)
    turn = tracer.one("turn")
    assert turn.attributes["medium"] == "text"
    assert tracer.named("decide") == []
    assert tracer.named("think")[0].began == pytest.approx(turn.began, abs=0.001)


def test_what_fails_says_so_and_not_why() -> None:
    tracer, _ = traced(a_turn, model=ScriptedModel("", fault=LanguageModelError("quero um café is what they said")))
    think = tracer.named("think")[0]
    assert think.error == "LanguageModelError"
    assert not [value for value in tracer.attributes() if "quero" in str(value)]


def test_nothing_that_was_said_is_in_a_span() -> None:
    tracer, _ = traced(a_turn)
    told = " ".join(map(str, tracer.attributes())).lower()
    assert not [word for word in ("quero", "café", "pois", "sai") if word in told]


def test_a_call_that_ends_in_the_middle_leaves_no_span_without_a_parent() -> None:
    async def score(call: Call) -> None:
        await call.sends(INITIATION)
        await call.is_silent(0.5)
        await call.speaks()
        await call.is_silent(0.2)

    tracer, _ = traced(score, **slow(judge=ScriptedJudge(hangs=True)))
    known = {span.id for span in tracer.spans}
    root = tracer.one("conversation")
    assert len(tracer.spans) > 1
    assert [span.name for span in tracer.spans if span.parent not in known] == ["conversation"]
    assert all(span.attributes["discarded"] is True for span in tracer.named("transcribe"))
    assert root.ended >= max(span.ended for span in tracer.spans)


def test_a_conversation_that_moved_is_one_trace() -> None:
    first, second = (SpanName.of_conversation("conv_1", epoch) for epoch in (0, 1))
    assert first.trace_id == second.trace_id
    assert first.span_id != second.span_id
    assert first.trace_id != SpanName.of_conversation("conv_2", 0).trace_id


class Clock:
    """Moves on by a millisecond whenever it is looked at."""

    now = 1000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def test_where_it_went_on_hangs_below_where_it_began() -> None:
    spans: list[FinishedSpan] = []
    ConversationTrace("conv_1", Clock(), spans.append, epoch=2).end(1000, "over")
    [root] = spans
    assert (root.id, root.parent) == (SpanName.of_conversation("conv_1", 2), SpanName.of_conversation("conv_1", 0))
    assert root.remote


def test_an_hour_of_noise_is_not_kept() -> None:
    spans: list[FinishedSpan] = []
    trace = ConversationTrace("conv_1", Clock(), spans.append)
    for _ in range(3 * MOST_WORKS):
        with trace.begin("transcribe"):
            pass
    assert len(spans) == 2 * MOST_WORKS
    assert isinstance(trace.root, Stage)
    assert {(span.parent, span.attributes["discarded"]) for span in spans} == {(trace.root.id, True)}
    trace.end(1000, "over")
    assert len(spans) == 3 * MOST_WORKS + 1


def test_words_that_were_late_belong_to_the_turn_that_waited_for_them() -> None:
    """The agent asks for patience, under the number of the answer that comes then."""
    spans: list[FinishedSpan] = []
    trace = ConversationTrace("conv_1", Clock(), spans.append)
    with trace.begin("transcribe", tentative=True):
        recognition = trace.begin("transcribe")
    with trace.begin("speak", reply=1):
        trace.log("audio", {"event_id": 3, "turn": 1}, 1001.0)
        trace.sent(3)
    with recognition:
        pass
    with trace.begin("think", reply=1):
        trace.log("user_turn", USER_TURN, 1002.0)
    trace.log("said", {"turn": 1}, 1003.0)
    trace.log("agent_turn", {"turn": 1, "metrics": {}}, 1003.0)
    turn = spans[0]
    assert (turn.name, turn.attributes["turn"]) == ("turn", 1)
    assert sorted(span.name for span in spans if span.parent == turn.id) == [
        "send", "speak", "think", "transcribe", "transcribe",
    ]  # fmt: skip
    assert [span.name for span in spans].count("turn") == 1
    assert not any("discarded" in span.attributes for span in spans if "tentative" in span.attributes)


def test_a_tool_that_the_agent_does_not_have_is_not_named() -> None:
    spans: list[FinishedSpan] = []
    trace = ConversationTrace("conv_1", Clock(), spans.append)
    call = {"turn": 1, "tool_call_id": "call_1", "tool_name": "call_maria_at_5551234", "type": "unknown"}
    trace.log("tool_call", call, 1000.0)
    trace.log("tool_result", {"tool_call_id": "call_1", "is_error": True}, 1000.1)
    trace.log("said", {"turn": 1}, 1000.2)
    assert [span.name for span in spans] == ["turn", "tool"]
    assert spans[1].error == "ToolError"


def test_an_answer_that_no_model_was_asked_for_belongs_to_the_words_it_answers() -> None:
    """As when a guard has found an attack in them."""
    spans: list[FinishedSpan] = []
    trace = ConversationTrace("conv_1", Clock(), spans.append)
    trace.log("guardrail", {"turn": None, "rule": "override"}, 1000.5)
    trace.log("user_turn", USER_TURN, 1001.0)
    trace.log("guardrail", {"turn": 1, "rule": "override"}, 1001.0)
    with trace.begin("speak", reply=1):
        trace.log("answer", {"turn": 1}, 1001.1)
    trace.log("said", {"turn": 1}, 1003.0)
    turn, speak = spans
    assert (turn.name, turn.attributes["medium"], turn.attributes["guardrail"]) == ("turn", "audio", "override")
    assert (speak.name, speak.parent) == ("speak", turn.id)
