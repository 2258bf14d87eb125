"""Whatever happens, in whatever order: a trace is one tree, and everything in it has come to an end."""

from contextvars import copy_context
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serve_app.observability.conversation_trace import ConversationTrace
from serve_app.observability.correlation import Span
from serve_app.observability.spans import FinishedSpan

REPLIES = st.integers(1, 4)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["transcribe", "judge", "overlap", "finish", "fail", "user_turn", "sent"]), st.just(0)),
    st.tuples(
        st.sampled_from(
            ["think", "speak", "audio", "answer", "agent_turn", "interruption", "said", "tool_call", "tool_result"]
        ),
        REPLIES,
    ),
)
LATENCIES = {"convai_turn_silence_before_initiation": 0.25, "convai_ttf_audio_since_silence": 0.4}
DATA: dict[str, Any] = {
    "event_id": 7, "metrics": LATENCIES, "tool_name": "shop", "type": "client", "is_error": False,
    "medium": "audio", "confidence": 1.0, "language": "pt",
}  # fmt: skip


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


def perform(trace: ConversationTrace, kind: str, reply: int, open_spans: list[Span], now: float) -> None:
    match kind:
        case "transcribe" | "judge" | "overlap":
            name = kind.replace("overlap", "judge")
            open_spans.append(trace.begin(name, over_answer=kind == "overlap").__enter__())
        case "think" | "speak":
            open_spans.append(trace.begin(kind, reply=reply).__enter__())
        case "finish" | "fail":
            if open_spans:
                error = ValueError if kind == "fail" else None
                open_spans.pop(0).__exit__(error, None, None)
        case "sent":
            trace.sent(7)
        case _:
            trace.log(kind, {**DATA, "turn": reply, "tool_call_id": f"call_{reply}"}, now)


@given(st.lists(STEPS, max_size=60))
def test_a_trace_is_one_tree(steps: list[tuple[str, int]]) -> None:
    spans: list[FinishedSpan] = []
    clock, open_spans = Clock(), list[Span]()
    trace = ConversationTrace("conv_1", clock, spans.append)

    def call() -> None:
        for kind, reply in steps:
            perform(trace, kind, reply, open_spans, clock())
        trace.end(1000, "over")
        for span in open_spans:  # cancelled with the call
            span.__exit__(GeneratorExit, None, None)

    copy_context().run(call)  # each is in a task of its own, where they do not leave in the order they came
    begun = [kind for kind, _ in steps if kind in ("transcribe", "judge", "overlap", "think", "speak")]
    names = [span.name for span in spans]
    assert len({span.id for span in spans}) == len(spans)
    assert [span.name for span in spans if span.parent is None] == ["conversation"]
    assert {span.parent for span in spans} - {None} <= {span.id for span in spans}
    assert sum(names.count(name) for name in ("transcribe", "judge", "think", "speak")) == len(begun)
    assert all(span.began <= span.ended for span in spans)
    assert names.count("decide") <= names.count("turn")
