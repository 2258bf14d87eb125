"""What stands in a log line, and what never does."""

import asyncio
import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.errors import SpeechError
from serve_app.observability.correlation import carried
from serve_app.observability.log_line import LogLine, stamp, told
from serve_app.observability.redaction import Redactor

CPF = "390.533.447-05"
LINE = LogLine(Redactor(), "sa-east-1")


def record(message: object = "m", *args: object, name: str = "serve_app.session", **more: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "/x/session.py", 7, message, args, more.pop("exc_info", None))
    vars(made).update(more)
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    stamp(made)
    text = LINE.format(made)
    assert "\n" not in text
    fields: dict[str, Any] = json.loads(text)
    return fields


def test_a_line_says_when_how_bad_who_and_what() -> None:
    made = record("%d conversations", 3)
    made.created = 1795410245.8039
    assert line(made) == {
        "time": "2026-11-23T05:04:05.803Z",
        "level": "warning",
        "logger": "serve_app.session",
        "message": "3 conversations",
        "region": "sa-east-1",
    }


def test_it_says_whose_it_is_wherever_it_is_formatted() -> None:
    made = record()
    with carried({"baggage": "conversation_id=conv_1"}):
        stamp(made)
    assert json.loads(LINE.format(made))["conversation_id"] == "conv_1"
    assert "conversation_id" not in line(record())


def test_of_what_serve_adds_the_place_is_kept() -> None:
    fields = line(record(deployment="hello_Vad", replica="u6bvn0wa", worker_id="cf83", task_name="t", route="/r"))
    assert fields.keys() - {"time", "level", "logger", "message", "region"} == {"deployment", "replica"}


def test_everything_passes_the_redactor() -> None:
    fields = line(record("of %s", CPF, note=CPF, all=[CPF, {"key": (CPF, 1, 0.5, None, True)}, {CPF: 1}], what={CPF}))
    assert fields["message"] == "of [CPF]"
    assert fields["note"] == "[CPF]"
    assert fields["all"] == ["[CPF]", {"key": ["[CPF]", 1, 0.5, None, True]}, {"[CPF]": 1}]
    assert fields["what"] == "{'[CPF]'}"
    assert line(record(caller={"cpf": 39053344705}))["caller"] == {"cpf": "[CPF]"}


def test_of_a_library_only_the_first_line_is_kept_and_nothing_besides() -> None:
    made = record(f"lost\nfuture: <Task exception=ValueError('{CPF} said')>", name="some.library", connection="secret")
    assert line(made)["message"] == "lost"
    assert "secret" not in LINE.format(made)
    assert line(record("a\nb", name="serve_app"))["message"] == "a\nb"
    assert line(record("a\nb", name="serve_application"))["message"] == "a"


def test_arguments_that_do_not_fit_are_not_quoted() -> None:
    assert line(record("%d", "my secret"))["message"] == "a message that cannot be put together, of session.py:7"


# ---- exceptions


def fail() -> None:
    secret = "what the caller said"
    try:
        raise ValueError(secret)
    except ValueError as e:
        raise SpeechError("no sound within 0.9 s") from e


def raised() -> SpeechError:
    with pytest.raises(SpeechError) as caught:
        fail()
    return caught.value


def test_an_exception_is_told_by_its_place_and_type_and_only_ours_by_its_message() -> None:
    error = raised()
    text = line(record(exc_info=(type(error), error, error.__traceback__)))["exception"]
    assert re.search(r'File ".*test_log_line.py", line \d+, in fail\n', text)
    assert "serve_app.errors.SpeechError: no sound within 0.9 s\ncaused by\n" in text
    assert text.endswith("\nValueError")
    assert "what the caller said" not in text


def test_the_message_of_ours_is_redacted_too() -> None:
    error = SpeechError(f"cannot say {CPF}")
    assert line(record(exc_info=(SpeechError, error, None)))["exception"].endswith("cannot say [CPF]")


class _CopyOfRaysError(SpeechError):
    """As Ray makes them of an error that comes from elsewhere: its text is the whole traceback there."""

    __module__ = "ray.exceptions"


def test_what_ray_makes_of_ours_quotes_others() -> None:
    assert told(_CopyOfRaysError("ValueError: a secret")) == "ray.exceptions._CopyOfRaysError"


def test_a_group_is_told_with_all_that_is_in_it() -> None:
    group = ExceptionGroup("secret", [ValueError("secret"), ExceptionGroup("secret", [SpeechError("ours")])])
    assert (
        told(group) == "ExceptionGroup\nand\nValueError\nand\nExceptionGroup\nand\nserve_app.errors.SpeechError: ours"
    )


def test_a_chain_without_an_end_is_cut() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert told(one).count("caused by") == 7


def test_what_asyncio_says_of_a_forgotten_task_is_not_what_the_task_said(caplog: pytest.LogCaptureFixture) -> None:
    async def read(said: str) -> int:
        return int(said)

    async def lose() -> None:
        task = asyncio.create_task(read("what the caller said"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert task.done()

    asyncio.run(lose())
    [told_by_asyncio] = caplog.records
    fields = line(told_by_asyncio)
    assert fields["message"] == "an exception that nobody has waited for"
    assert fields["exception"].endswith("\nValueError")
    assert "what the caller said" not in json.dumps(fields)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.just(CPF),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just(CPF), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), ANYTHING)
def test_whatever_is_logged_is_one_line_of_json_without_it(message: str, extra: Any) -> None:
    fields = line(record("%s CPF %s", message, CPF, extra=extra))
    assert CPF not in json.dumps(fields)
