"""What of a conversation's record is counted, and under which labels."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.observability.tallies import MOST_VALUES, OTHER, TALLIES, Labels, latencies_ms, tallies
from serve_app.ports import Fallback, LogEvent


def event(kind: str, **data: Any) -> LogEvent:
    return LogEvent("conv_1", 0, 0.0, kind, data)


FALLBACK = msgspec.structs.asdict(Fallback("tts", "ElevenLabs", "no sound within 0.9 s", "espeak-ng"))


@pytest.mark.parametrize(
    ("happened", "counted"),
    [
        (
            event("fallback", **FALLBACK),
            [("hello_fallbacks_total", {"stage": "tts", "failed": "ElevenLabs", "instead": "espeak-ng"}, 1)],
        ),
        (
            event("discarded", stage="llm", requests=1, tokens=12, characters=40, turn=3),
            [
                ("hello_discarded_requests_total", {"stage": "llm"}, 1),
                ("hello_discarded_tokens_total", {"stage": "llm"}, 12),
                ("hello_discarded_characters_total", {"stage": "llm"}, 40),
            ],
        ),
        (
            event("discarded", stage="stt", requests=1, tokens=0, characters=0),
            [("hello_discarded_requests_total", {"stage": "stt"}, 1)],
        ),
        (event("none_response", turn=1), [("hello_none_responses_total", {}, 1)]),
        (event("user_turn", text="my secret"), [("hello_turns_total", {"role": "user"}, 1)]),
        (event("agent_turn", text="Hi"), [("hello_turns_total", {"role": "agent"}, 1)]),
        (
            event("guardrail", stage="input", action="deflect", rule="override", turn=None),
            [("hello_guardrails_total", {"stage": "input", "action": "deflect", "rule": "override"}, 1)],
        ),
        (event("line_quality", level="bad"), [("hello_line_changes_total", {"level": "bad"}, 1)]),
        (
            event("error", code=1002, error_type="llm_error", message="m answered HTTP 500"),
            [("hello_errors_total", {"error_type": "llm_error"}, 1)],
        ),
        (event("audio", event_id=1), []),
        (event("started", agent_id="sales"), [("hello_conversations_begun_total", {}, 1)]),
        (event("resumed", same_replica=True), [("hello_resumptions_total", {}, 1)]),
        (
            event("ended", status="failed", close_code=1002, reason="gone", error={"error_type": "llm_error"}),
            [("hello_conversations_ended_total", {"status": "failed", "close_code": "1002"}, 1)],
        ),
        (event("kept", stage="llm", requests=1), [("hello_kept_requests_total", {"stage": "llm"}, 1)]),
        (
            event("failure", action="retry", error_type="llm_error"),
            [("hello_failures_total", {"action": "retry", "error_type": "llm_error"}, 1)],
        ),
        (
            event("interruption", turn=1, metrics={"hello_interruption_latency": 0.13}),
            [
                ("hello_interruptions_total", {}, 1),
                ("hello_breaches_total", {"stage": "interruption", "level": "critical"}, 1),
            ],
        ),
    ],
)
def test_what_is_counted(happened: LogEvent, counted: list[tuple[str, dict[str, str], int]]) -> None:
    assert list(tallies(happened)) == counted


@given(st.sampled_from([*TALLIES, "started"]), st.dictionaries(st.text(), st.text() | st.none()))
def test_an_event_of_another_shape_is_no_error(kind: str, data: dict[str, Any]) -> None:
    data = {key: value for key, value in data.items() if key not in ("requests", "tokens", "characters")}
    for _, labels, amount in tallies(LogEvent("conv_1", 0, 0.0, kind, data)):
        assert amount > 0
        assert all(isinstance(value, str) for value in labels.values())


def test_latencies_are_told_by_stage_in_milliseconds() -> None:
    metrics = {"convai_tts_service_ttfb": 0.09, "convai_turn_asr_latency": 0.1, "convai_llm_service_ttfb": 0.2}
    assert dict(latencies_ms(event("agent_turn", metrics=metrics))) == pytest.approx({"tts": 90.0, "llm": 200.0})
    assert list(latencies_ms(event("agent_turn", metrics={}))) == []
    assert list(latencies_ms(event("audio"))) == []


def test_a_counter_has_the_same_labels_wherever_it_is_counted() -> None:
    every = [tally for of_kind in TALLIES.values() for tally in of_kind]
    assert len({tally.name for tally in every}) == len({(tally.name, tally.labels) for tally in every})


def test_labels_have_so_many_values_and_no_more() -> None:
    labels = Labels()
    names = [f"model {number}" for number in range(MOST_VALUES + 10)]
    assert [labels.bounded("failed", name) for name in names] == names[:MOST_VALUES] + [OTHER] * 10
    assert labels.bounded("failed", names[0]) == names[0]
    assert labels.bounded("instead", names[-1]) == names[-1]
