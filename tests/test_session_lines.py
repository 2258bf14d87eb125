"""What a call leaves in the log: whose it was, on every line, and a line for each turn; nothing that was said."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from serve_app.errors import SpeechError
from serve_app.observability.log_line import stamp
from tests.caller import ANSWER, a_turn, agent, play
from tests.fakes.ports import ScriptedSpeaker


class Stamped(logging.Handler):
    """Keeps records as a log of ours gets them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        stamp(record)
        self.records.append({**vars(record), "message": record.getMessage()})


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Stamped]:
    caplog.set_level(logging.INFO, "serve_app")
    log = Stamped()
    logging.getLogger("serve_app").addHandler(log)
    yield log
    logging.getLogger("serve_app").removeHandler(log)


def test_every_line_says_whose_it_is(log: Stamped) -> None:
    play(a_turn, speaker=ScriptedSpeaker(0, fault=SpeechError("no voice here")), hangs_up=False)
    assert {"conversation conv_1: no voice here", "turn", "conversation conv_1 ended with code 1002"} == {
        record["message"] for record in log.records
    }
    assert {record["conversation_id"] for record in log.records} == {"conv_1"}


def test_a_turn_has_a_line_and_what_was_said_has_none(log: Stamped) -> None:
    call = play(a_turn, agent("Olá!"))
    greeting, turn = (record for record in log.records if record["message"] == "turn")
    assert greeting["agent_id"] == turn["agent_id"] == "default"
    assert greeting["turn"] < turn["turn"]
    assert turn["medium"] == "audio"
    record = [event.data["metrics"] for event in call.log.entries if event.kind == "agent_turn"]
    assert turn["latencies_ms"].items() >= {name: round(each * 1000, 1) for name, each in record[-1].items()}.items()
    written = str(log.records)
    assert ANSWER not in written
    assert "café" not in written
