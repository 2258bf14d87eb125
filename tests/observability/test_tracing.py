"""Spans on their way to a collector: on the real protobuf, by OpenTelemetry's variables."""

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from serve_app.observability import exported_spans
from serve_app.observability.correlation import UNRECORDED, carrier, conversation_id, work_for
from serve_app.observability.exported_spans import OpenTelemetryTracer
from serve_app.observability.tracing import NO_TRACE, NO_TRACER, Tracer, tracer_of
from tests.caller import a_turn, play
from tests.fakes.otlp_receiver import OtlpReceiver, ReceivedSpan

OTHERS = ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "REGION")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*OTHERS, "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        yield receiver


# ---- who records


def test_without_a_collector_nobody_records_and_nothing_is_imported() -> None:
    assert tracer_of("Gateway") is NO_TRACER
    code = (
        "import sys; from serve_app.observability.tracing import tracer_of; import serve_app.parts;"
        "tracer_of('Gateway'); assert 'serve_app.observability.exported_spans' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_it_can_be_switched_off(
    collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert tracer_of("Gateway") is not NO_TRACER
    monkeypatch.setenv(name, value)
    assert tracer_of("Gateway") is NO_TRACER


def test_nobody_s_trace_takes_everything_and_keeps_nothing() -> None:
    trace = NO_TRACER.conversation("conv_1", "default", time.time, epoch=0)
    assert trace is NO_TRACE
    assert trace.root is trace.begin("think", reply=1) is trace.tool("call_1") is UNRECORDED
    trace.log("user_turn", {}, 0.0)
    trace.sent(1)
    trace.end(1000, "over")
    with NO_TRACER.served("Vad.judge", {"baggage": "conversation_id=conv_1"}) as span:
        assert span is UNRECORDED
        assert conversation_id.get() == "conv_1", "the log wants to know it all the same"


# ---- what arrives


def recorded(tracer: Tracer, collector: OtlpReceiver) -> list[ReceivedSpan]:
    asyncio.run(tracer.aclose())
    return list(collector.spans)


def test_a_conversation_arrives_as_one_tree(collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "sa-east-1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    tracer = tracer_of("Gateway")
    call = play(a_turn, tracer=tracer)
    spans = recorded(tracer, collector)
    assert {span.trace_id for span in spans} == {hashlib.sha256(call.session.id.encode()).hexdigest()[:32]}
    [root] = [span for span in spans if not span.parent_id]
    by_id = {span.span_id: span for span in spans}
    assert all(span.parent_id in by_id for span in spans if span is not root)
    assert {"conversation", "turn", "decide", "transcribe", "think", "speak", "send"} <= {span.name for span in spans}
    assert root.attributes["conversation_id"] == call.session.id
    assert (root.attributes["agent_id"], root.attributes["region"], root.attributes["language"]) == (
        "default", "sa-east-1", "pt",
    )  # fmt: skip
    resource = root.resource
    assert (resource["service.name"], resource["deployment"], resource["region"]) == (
        "automagik-hello", "Gateway", "sa-east-1",
    )  # fmt: skip
    assert resource["deployment.environment.name"] == "test"
    assert root.ended > root.began > time.time() - 60


def test_the_environment_may_name_the_service(collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "hello-of-the-bank")
    tracer = tracer_of("Vad")
    with tracer.served("Vad.judge", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}):
        pass
    [span] = recorded(tracer, collector)
    assert span.resource["service.name"] == "hello-of-the-bank"


def test_work_for_another_process_is_a_child_of_what_asked_for_it(collector: OtlpReceiver) -> None:
    gateway, vad = tracer_of("Gateway"), tracer_of("Vad")

    async def call() -> None:
        trace = gateway.conversation("conv_1", "default", time.time, epoch=0)
        work_for("conv_1", trace.root)
        with trace.begin("judge"):
            sent = carrier()
        await asyncio.create_task(judge(sent))
        trace.end(1000, "over")

    async def judge(sent: dict[str, str]) -> None:
        with vad.served("Vad.judge", sent) as span:
            assert conversation_id.get() == "conv_1"
            span.note(waited_ms=1.5)
            assert carrier()["traceparent"] != sent["traceparent"]

    asyncio.run(call())
    recorded(vad, collector)
    spans = {span.name: span for span in recorded(gateway, collector)}
    asked, served = spans["judge"], spans["Vad.judge"]
    assert (served.parent_id, served.trace_id, served.kind) == (asked.span_id, asked.trace_id, "server")
    assert served.attributes == {"conversation_id": "conv_1", "waited_ms": 1.5}


@pytest.mark.parametrize(
    "traceparent", ["", "00-", "00-zz-11-01", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'2' * 16}-00"]
)
def test_who_is_asked_by_nobody_records_nothing(collector: OtlpReceiver, traceparent: str) -> None:
    tracer = tracer_of("Vad")
    with tracer.served("Vad.judge", {"traceparent": traceparent}) as span:
        assert span.traceparent == ""
    assert recorded(tracer, collector) == []


def test_a_failure_says_its_kind_alone(collector: OtlpReceiver) -> None:
    tracer = tracer_of("TtsProxy")
    sent = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with pytest.raises(ValueError, match="secret"), tracer.served("TtsProxy.speak", sent):
        raise ValueError("what was said is secret")
    with pytest.raises(asyncio.CancelledError), tracer.served("TtsProxy.speak", sent):
        raise asyncio.CancelledError
    failed, given_up = recorded(tracer, collector)
    assert (failed.failed, failed.attributes["error.type"]) == (True, "ValueError")
    assert (given_up.failed, given_up.attributes["cancelled"]) == (False, True)
    assert "secret" not in str(failed)


# ---- sampling, and what it costs


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_conversations_are_sampled_whole(
    collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """By their ids: wherever they go, they are sampled or they are not."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", str(share))
    replicas = tracer_of("Gateway"), tracer_of("Gateway")
    names = [f"conv_{number}" for number in range(400)]
    first, second = (
        [tracer.conversation(n, "a", time.time, epoch=0) is not NO_TRACE for n in names] for tracer in replicas
    )
    assert first == second
    assert sum(first) / len(names) == pytest.approx(share, abs=0.06)


def test_a_collector_that_is_gone_costs_a_caller_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    monkeypatch.setattr(exported_spans, "LAST_BATCH_S", 0.2)
    tracer = tracer_of("Gateway")
    play(a_turn, tracer=tracer)
    begun = time.monotonic()
    asyncio.run(tracer.aclose())
    assert time.monotonic() - begun < 2


def test_a_span_costs_little(collector: OtlpReceiver) -> None:
    """On the event loop: 20 us on a machine that has nothing else to do; the batch goes from a thread."""
    tracer = tracer_of("Gateway")
    assert isinstance(tracer, OpenTelemetryTracer)
    trace = tracer.conversation("conv_1", "default", time.time, epoch=0)
    count = 400
    begun = time.thread_time()
    for _ in range(count):
        with trace.begin("think", reply=1) as span:
            span.mark("first_token_ms")
            span.count("tokens")
    trace.log("said", {"turn": 1}, time.time())
    each_us = (time.thread_time() - begun) / count * 1e6
    assert each_us < 200
    asyncio.run(tracer.aclose())
