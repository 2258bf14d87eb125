"""docs/logs.md says what stands in the log, and nothing else does."""

import json
import logging
import re
from pathlib import Path

import pytest

from serve_app.observability.log_line import LogLine, stamp
from serve_app.observability.redaction import Redactor
from serve_app.observability.turn_lines import TurnLines
from serve_app.ports import LogEvent
from serve_app.settings import LogSettings

DOCUMENT = (Path(__file__).parents[1] / "docs" / "logs.md").read_text(encoding="utf-8")
LINE, TURN, SETTINGS = (
    {name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    for table in re.findall(r"^\|.*\|\n\|---.*\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
)


def test_every_key_of_a_line_is_explained() -> None:
    place = {"deployment": "d", "replica": "r"}
    record = logging.makeLogRecord({"name": "serve_app", "exc_info": (ValueError, ValueError(), None), **place})
    stamp(record)
    vars(record).update(conversation_id="conv_1", trace_id="t", span_id="s")
    assert json.loads(LogLine(Redactor(), "local").format(record)).keys() == LINE


def test_every_key_of_a_turn_is_explained(caplog: pytest.LogCaptureFixture) -> None:
    turn = {"turn": 2, "metrics": {}}
    with caplog.at_level(logging.INFO, logger="serve_app"):
        lines = TurnLines("ana")
        for kind, data in (
            ("user_turn", {"medium": "audio", "language": "pt", "metrics": {}}),
            *((kind, turn) for kind in ("tool_call", "agent_turn", "interruption", "none_response")),
        ):
            lines.take(LogEvent("conv_1", 0, 0.0, kind, data))
        lines.close()
    assert vars(caplog.records[0]).keys() - {*vars(logging.makeLogRecord({})), "message"} == TURN


def test_every_setting_is_explained() -> None:
    assert {name.upper() for name in LogSettings.model_fields} == SETTINGS


def test_the_example_is_a_line() -> None:
    [example] = re.findall(r"```json\n(.*)\n```", DOCUMENT)
    assert json.loads(example).keys() <= LINE | TURN
