"""One voice turn with a tool call, as a collector sees it: one trace through four processes."""

from typing import NamedTuple

import pytest
from elevenlabs.conversational_ai.conversation import ClientTools

from tests.acceptance.caller import Caller
from tests.acceptance.tap import Tap
from tests.espeak import render
from tests.fakes.groq_server import FakeGroq
from tests.fakes.otlp_receiver import OtlpReceiver, ReceivedSpan
from tests.fakes.webhook_server import FakeWebhook
from tests.observability.critical_path import CriticalPath

VOICE_TO_VOICE = "convai_ttf_audio_since_silence"
TIME, ORDER = "que horas são", "onde está o meu pedido"
ANSWERS = {TIME: "Resultado: meio dia.", ORDER: 'Resultado: meio dia, {"ok":true}.'}  # of all tools so far
SAME_CLOCK_S = 0.010
"""Of processes on one machine: what they call now differs by this at most."""


class Traced(NamedTuple):
    """A call that is over."""

    spans: list[ReceivedSpan]
    waited_s: list[float]  # for each answer, as the record has it

    def named(self, name: str) -> list[ReceivedSpan]:
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.began)

    def below(self, parent: ReceivedSpan) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.parent_id == parent.span_id]

    def turn(self, number: int) -> ReceivedSpan:
        """Of those that began with the caller's words."""
        return [span for span in self.named("turn") if "medium" in span.attributes][number]


@pytest.fixture(scope="module")
def traced(tap: Tap, collector: OtlpReceiver) -> Traced:
    tools = ClientTools()
    tools.register("get_time", lambda parameters: "meio dia")
    with Caller(tap.url, "tools", {"client_tools": tools}) as caller:
        caller.until_answered()
        for question, answer in ANSWERS.items():
            caller.microphone.say(render(question, "pt"))
            caller.until(lambda answer=answer: caller.answers[-1:] == [answer])  # type: ignore[misc]
            caller.until_answered(caller.microphone.spoke_until)
        conversation_id = caller.hang_up()
        record = caller.client.conversational_ai.conversations.get(conversation_id)

    def of_call(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
        return [span for span in spans if span.attributes.get("conversation_id") == conversation_id]

    collector.until(lambda spans: any(span.name == "conversation" for span in of_call(spans)))
    collector.until(lambda spans: not missing(of_call(spans)))
    metrics = [turn.conversation_turn_metrics for turn in record.transcript if turn.role == "agent"]
    waited = [each.metrics[VOICE_TO_VOICE] for each in metrics if each and VOICE_TO_VOICE in (each.metrics or {})]
    return Traced(of_call(collector.spans), [metric.elapsed_time for metric in waited])


def missing(spans: list[ReceivedSpan]) -> set[str]:
    """Spans that another process has recorded and not sent yet."""
    known = {span.span_id for span in spans}
    return {span.parent_id for span in spans if span.parent_id} - known | (
        {"Vad.judge", "LocalWhisper.transcribe", "TtsProxy.speak"} - {span.name for span in spans}
    )


def test_it_is_one_trace_with_one_root(traced: Traced) -> None:
    assert len({span.trace_id for span in traced.spans}) == 1
    [root] = [span for span in traced.spans if not span.parent_id]
    assert (root.name, root.attributes["agent_id"], root.attributes["region"]) == ("conversation", "tools", "local")
    assert root.attributes["close_code"] == 1000
    assert [turn.attributes["medium"] for turn in (traced.turn(0), traced.turn(1))] == ["audio", "audio"]


def test_every_stage_of_the_turn_is_in_it(traced: Traced) -> None:
    stages = {span.name for span in traced.below(traced.turn(0))}
    assert {"decide", "transcribe", "judge", "think", "tool get_time", "speak", "send"} <= stages
    first, second = (span for span in traced.below(traced.turn(0)) if span.name == "think" and not_in_vain(span))
    [tool] = traced.named("tool get_time")
    assert first.ended <= tool.began + SAME_CLOCK_S
    assert tool.ended <= second.began + SAME_CLOCK_S
    assert first.attributes["request_id"].startswith("req_")
    assert second.attributes["model"] == "fake"


def not_in_vain(span: ReceivedSpan) -> bool:
    return "discarded" not in span.attributes


@pytest.mark.parametrize(
    ("there", "here"), [("Vad.judge", "judge"), ("LocalWhisper.transcribe", "transcribe"), ("TtsProxy.speak", "speak")]
)
def test_what_another_process_did_hangs_below_what_asked_for_it(traced: Traced, there: str, here: str) -> None:
    by_id = {span.span_id: span for span in traced.spans}
    turn = traced.turn(0)
    pairs = [(by_id[span.parent_id], span) for span in traced.named(there)]
    assert {parent.name for parent, _ in pairs} == {here}
    assert any(parent.parent_id == turn.span_id for parent, _ in pairs)
    for parent, child in pairs:
        assert child.kind == "server"
        assert child.resource["deployment"] == there.partition(".")[0]
        assert child.resource["process.pid"] != parent.resource["process.pid"]
        assert parent.began - SAME_CLOCK_S < child.began < parent.ended + SAME_CLOCK_S


def test_the_critical_path_explains_what_the_caller_waited_for(traced: Traced) -> None:
    for number, waited_s in enumerate(traced.waited_s):
        turn = traced.turn(number)
        path = CriticalPath(traced.below(turn), turn.began, turn.began + waited_s)
        assert path.explained >= 0.95, path.steps
    assert len(traced.waited_s) == len(ANSWERS)


def test_providers_learn_which_span_has_asked(traced: Traced, language_model: FakeGroq, webhook: FakeWebhook) -> None:
    trace_id = traced.spans[0].trace_id
    [tool] = traced.named("tool find_order")
    assert webhook.received[-1].headers["traceparent"] == f"00-{trace_id}-{tool.span_id}-01"
    asked = [received.headers.get("traceparent", "") for received in language_model.received]
    thoughts = {span.span_id for span in traced.named("think")}
    assert {name.split("-")[2] for name in asked if trace_id in name} >= {
        span.span_id for span in traced.named("think") if not_in_vain(span)
    }
    assert {name.split("-")[2] for name in asked if trace_id in name} <= thoughts


def test_nothing_that_was_said_is_in_a_span(traced: Traced) -> None:
    told = str([(span.name, span.attributes) for span in traced.spans]).lower()
    assert not [word for word in ("horas", "pedido", "resultado", "meio dia", "utc", "42/7", "cliente") if word in told]
