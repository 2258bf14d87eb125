import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.observability.spans import FinishedSpan, SpanName, Stage

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))
def test_a_name_is_read_as_it_was_written(trace_id: int, span_id: int) -> None:
    name = SpanName(trace_id, span_id)
    assert SpanName.parse(name.traceparent) == name


@given(st.text())
def test_what_is_no_name_is_none(text: str) -> None:
    assert SpanName.parse(text) is None


@pytest.mark.parametrize(
    ("traceparent", "is_name"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"01-{TRACE}-{SPAN}-03-more", True),  # of versions to come
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}-00", False),  # not sampled
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE}-{SPAN}-01x", False),
        (f"00-{TRACE}-{SPAN}", False),
    ],
)
def test_names_as_the_standard_has_them(traceparent: str, is_name: bool) -> None:
    assert (SpanName.parse(traceparent) is not None) == is_name


def test_a_child_is_of_the_same_trace_and_nobody_else() -> None:
    parent = SpanName.of_conversation("conv_1", 0)
    children = {parent.child() for _ in range(1000)}
    assert len(children) == 1000
    assert {child.trace_id for child in children} == {parent.trace_id}


def stage() -> tuple[Stage, list[FinishedSpan]]:
    """Its clock ticks once a second, whenever it is looked at."""
    clock, over = itertools.count(100).__next__, list[FinishedSpan]()
    return Stage("work", SpanName(1, 2), lambda: float(clock()), lambda done: over.append(done.finished(None))), over


def test_marks_are_of_the_first_time_and_counts_of_all() -> None:
    work, over = stage()
    with work:
        for _ in range(3):
            work.mark("first_ms")
            work.count("pieces")
        work.note(model="m", request_id="")
    [span] = over
    assert span.attributes == {"first_ms": 1000.0, "pieces": 3, "model": "m"}
    assert (span.began, span.error) == (100.0, "")


def test_it_is_over_once() -> None:
    work, over = stage()
    with work:
        work.finish("ToolError")
    assert [span.error for span in over] == ["ToolError"]
    assert not work.kept
