"""The line of each turn: how long what took, and nothing that was said."""

import logging
from typing import Any

import pytest

from serve_app.observability.turn_lines import TRACE, TurnLines
from serve_app.ports import LogEvent

SECRET = "my number is 390.533.447-05"


def lines(caplog: pytest.LogCaptureFixture, *events: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The extra fields of the lines that these events make."""
    plain = {*vars(logging.makeLogRecord({})), "message"}
    with caplog.at_level(logging.INFO, logger="serve_app"):
        of_conversation = TurnLines("ana")
        for number, (kind, data) in enumerate(events):
            of_conversation.take(LogEvent("conv_1", number, 0.0, kind, data))
        of_conversation.close()
    assert {record.getMessage() for record in caplog.records} <= {"turn"}
    assert SECRET not in str([vars(record) for record in caplog.records])
    return [{key: value for key, value in vars(record).items() if key not in plain} for record in caplog.records]


def heard(**metrics: float) -> tuple[str, dict[str, Any]]:
    return "user_turn", {"text": SECRET, "medium": "audio", "language": "en", "confidence": 0.9, "metrics": metrics}


def answered(turn: int, **metrics: float) -> tuple[str, dict[str, Any]]:
    return "agent_turn", {"text": SECRET, "turn": turn, "metrics": metrics}


def test_a_turn_is_what_the_caller_said_and_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    found = lines(
        caplog,
        answered(1, convai_tts_service_ttfb=0.2),
        heard(convai_asr_trailing_service_latency=0.12345),
        answered(3, convai_tts_service_ttfb=0.25, convai_ttf_audio_since_silence=0.5),
        ("clause", {"text": SECRET}),
        heard(),
    )
    assert found == [
        {"agent_id": "ana", "turn": 1, "latencies_ms": {"convai_tts_service_ttfb": 200.0}},
        {
            "agent_id": "ana",
            "medium": "audio",
            "language": "en",
            "turn": 3,
            "latencies_ms": {
                "convai_asr_trailing_service_latency": 123.5,
                "convai_tts_service_ttfb": 250.0,
                "convai_ttf_audio_since_silence": 500.0,
            },
        },
        {"agent_id": "ana", "medium": "audio", "language": "en", "latencies_ms": {}},
    ]


def test_it_says_what_became_of_it(caplog: pytest.LogCaptureFixture) -> None:
    call = ("tool_call", {"turn": 2, "params_as_json": SECRET})
    found = lines(
        caplog, heard(), call, call, answered(2), ("interruption", {"turn": 2}), heard(), ("none_response", {"turn": 4})
    )
    assert [(line["turn"], line.get("tools"), line.get("interrupted"), line.get("none")) for line in found] == [
        (2, 2, True, None),
        (4, None, None, True),
    ]


def test_sections_of_an_answer_are_one_turn_and_another_answer_is_another(caplog: pytest.LogCaptureFixture) -> None:
    found = lines(caplog, heard(), answered(2), answered(2), answered(5))
    assert [(line["turn"], "medium" in line) for line in found] == [(2, True), (5, False)]


def test_after_a_transfer_turns_are_the_other_agents(caplog: pytest.LogCaptureFixture) -> None:
    transfer = ("transfer", {"agent_id": "bia", "turn": 2})
    assert [line["agent_id"] for line in lines(caplog, heard(), answered(2), transfer, heard())] == ["ana", "bia"]


def test_it_is_so_too_where_the_conversation_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    before = [LogEvent("conv_1", 0, 0.0, "transfer", {"agent_id": "bia"})]
    with caplog.at_level(logging.INFO, logger="serve_app"):
        moved = TurnLines("ana", before)
        moved.take(LogEvent("conv_1", 1, 0.0, *answered(7)))
        moved.close()
    assert [vars(record)["agent_id"] for record in caplog.records] == ["bia"]


def test_at_trace_every_event_has_a_line_with_its_kind(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(TRACE, logger="serve_app"):
        TurnLines("ana").take(LogEvent("conv_1", 0, 0.0, "clause", {"text": SECRET}))
    assert caplog.messages == ["clause"]
    assert SECRET not in str(vars(caplog.records[0]))
