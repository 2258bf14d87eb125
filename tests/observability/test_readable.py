"""Log lines on a terminal."""

import io
import json

import pytest

from serve_app.observability import readable as module
from serve_app.observability.readable import readable

FIELDS = {
    "time": "2026-11-23T05:04:05.803Z",
    "level": "info",
    "logger": "serve_app.observability.turn_lines",
    "message": "turn",
    "region": "local",
    "conversation_id": "conv_1",
    "deployment": "hello_Gateway",
    "replica": "ygqdeegn",
    "turn": 3,
    "medium": "audio",
    "latencies_ms": {"convai_tts_service_ttfb": 250.0},
}
LINE = (
    "05:04:05.803 info     serve_app.observability.turn_lines conv_1 turn "
    'turn=3 medium=audio latencies_ms={"convai_tts_service_ttfb": 250.0}'
)


def test_what_people_look_for_comes_first() -> None:
    assert readable(FIELDS, in_colour=False) == LINE


@pytest.mark.parametrize(("level", "colour"), [("info", 0), ("warning", 33), ("error", 31)])
def test_on_a_terminal_bad_news_have_a_colour(level: str, colour: int) -> None:
    text = readable(FIELDS | {"level": level}, in_colour=True)
    assert text.startswith(f"\033[{colour}m")
    assert text.endswith("\033[0m")


def test_an_exception_stands_below() -> None:
    text = readable(FIELDS | {"exception": '  File "x", line 1\nValueError'}, in_colour=False)
    assert text == f'{LINE}\n  File "x", line 1\nValueError'


def test_a_terminal_is_given_nothing_to_obey() -> None:
    text = readable(FIELDS | {"message": "a\033[2Jb\r\nc"}, in_colour=False)
    assert " a[2Jb\nc " in text


def test_lines_that_are_none_of_ours_are_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [json.dumps(FIELDS), "==> replica.log <==", "[1]", "{}", "3"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(given)))
    module.main()
    assert capsys.readouterr().out.splitlines() == [LINE, *given[1:]]
