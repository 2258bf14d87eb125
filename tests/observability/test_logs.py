"""Where lines go, and in which shape: in a replica, with Serve's logger as Serve sets it up there; on a terminal."""

import builtins
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.serve._private import logging_utils
from ray.serve._private.common import ServeComponentType
from ray.serve.schema import EncodingType, LoggingConfig

from serve_app.errors import ConfigurationError, SpeechError
from serve_app.observability import logs
from serve_app.observability.correlation import carried
from serve_app.observability.redaction import WITHHELD

SERVE = logging.getLogger("ray.serve")
CPF = "390.533.447-05"
SECRET = "what the caller said"
opened: list[Any] = []
"""Handlers that Serve has made in a test."""


@pytest.fixture
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Afterwards, for the tests that follow."""
    for module, name in ((sys, "stdout"), (sys, "stderr"), (sys, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(builtins, "print", builtins.print)
    monkeypatch.setattr(logging_utils, "RAY_SERVE_LOG_TO_STDERR", False)  # as configs/ray.env says
    monkeypatch.setattr(logging, "raiseExceptions", logging.raiseExceptions)
    monkeypatch.setattr(logs.resource, "setrlimit", lambda what, limits: None)  # there is no way back
    loggers = [logging.root, SERVE, *map(logging.getLogger, ("serve_app", "deployments"))]
    before = [(each, each.handlers[:], each.filters[:], each.level) for each in loggers]
    yield
    for handler in opened:
        handler.target.close()
    opened.clear()
    for each, handlers, filters, level in before:
        each.handlers[:], each.filters[:] = handlers, filters
        each.setLevel(level)


def serves_logger(folder: Path) -> Path:
    """As in a replica. Its file."""
    config = LoggingConfig(encoding=EncodingType.JSON, logs_dir=str(folder), enable_access_log=False)
    names = {"component_name": "hello_Vad", "component_id": "u6bvn0wa"}
    kind = ServeComponentType.REPLICA
    configure = logging_utils.configure_component_logger
    configure(**names, component_type=kind, logging_config=config, max_bytes=1 << 20, backup_count=1)
    opened.extend(SERVE.handlers)
    [file] = folder.glob("replica_*")
    return file


@pytest.fixture
def file(tmp_path: Path, logging_as_it_was: None) -> Path:
    """Where the lines of this replica go."""
    file = serves_logger(tmp_path)
    logs.in_replica({"REGION": "sa-east-1"})
    return file


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_replicas_lines_are_in_serves_file_once_each(file: Path) -> None:
    with carried({"baggage": "conversation_id=conv_1"}):
        logging.getLogger("deployments.vad").info("judged %d", 3, extra={"took_ms": 4.5})
    [line] = lines(file)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "deployments.vad",
        "message": "judged 3",
        "region": "sa-east-1",
        "conversation_id": "conv_1",
        "deployment": "hello_Vad",
        "replica": "u6bvn0wa",
        "took_ms": 4.5,
    }


def test_serves_own_lines_have_the_same_shape_and_pass_the_redactor(file: Path) -> None:
    SERVE.warning(f"Replica at capacity, CPF {CPF}.", extra={"log_to_stderr": False})
    print(f"printed by a library: CPF {CPF}")
    first, second = lines(file)
    assert (first["level"], first["logger"], first["deployment"]) == ("warning", "ray.serve", "hello_Vad")
    assert "[CPF]" in first["message"]
    assert "[CPF]" in second["message"]
    assert CPF not in file.read_text()


def test_what_libraries_say_comes_from_warnings_on(file: Path) -> None:
    library = logging.getLogger("some.library")
    library.info("not this")
    library.warning("but this")
    assert [line["message"] for line in lines(file)] == ["but this"]


def test_an_error_that_goes_back_to_who_asked_is_not_serves_to_tell(file: Path) -> None:
    for error in (SpeechError("no sound"), ValueError(SECRET)):
        try:
            raise error
        except (SpeechError, ValueError):
            SERVE.exception("Request failed.")
    [line] = lines(file)
    assert line["message"] == "Request failed."
    assert line["exception"].endswith("\nValueError")
    assert line["exception"].count(SECRET) == 0


def test_it_stays_so_when_serve_configures_its_logger_anew(file: Path, tmp_path: Path) -> None:
    other = serves_logger(tmp_path / "other")
    SERVE.error("Serve's")
    logging.getLogger("serve_app.session").error("ours, CPF %s", CPF)
    assert [(line["logger"], line["message"]) for line in lines(other)] == [
        ("ray.serve", "Serve's"),
        ("serve_app.session", "ours, CPF [CPF]"),
    ]
    assert lines(file) == []


@pytest.mark.parametrize(("level", "said"), [("trace", 3), ("info", 2), ("error", 1)])
def test_the_level_is_for_our_own_lines(tmp_path: Path, logging_as_it_was: None, level: str, said: int) -> None:
    file = serves_logger(tmp_path)
    logs.in_replica({"LOG_LEVEL": level})
    ours = logging.getLogger("serve_app.session")
    ours.log(logs.TRACE, "clause")
    ours.info("turn")
    ours.error("failed")
    assert [line["level"] for line in lines(file)] == ["trace", "info", "error"][-said:]


def test_arguments_that_do_not_fit_are_quoted_nowhere(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("serve_app.session").error("%d", SECRET)
    assert "cannot be put together" in lines(file)[0]["message"]
    assert SECRET not in file.read_text() + "".join(capsys.readouterr())


def test_what_nobody_catches_is_a_line_without_its_message(file: Path) -> None:
    def fail() -> None:
        raise ValueError(SECRET[:])

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as e:
        sys.excepthook(ValueError, e, e.__traceback__)
    found = lines(file)
    assert [line["message"] for line in found] == ["ValueError, which nobody has caught"] * 2
    assert all("in fail" in line["exception"] for line in found)
    assert SECRET not in file.read_text()


def test_a_hook_finds_what_we_do_not(tmp_path: Path, logging_as_it_was: None) -> None:
    file = serves_logger(tmp_path)
    logs.in_replica({"REDACTION_HOOK": f"{__name__}:without_names"})
    logging.getLogger("serve_app.session").error("Maria called, CPF %s", CPF)
    assert lines(file)[0]["message"] == "[NAME] called, CPF [CPF]"


def without_names(text: str) -> str:
    return text.replace("Maria", "[NAME]")


def test_of_a_hook_that_fails_nothing_gets_out_but_that_it_does(tmp_path: Path, logging_as_it_was: None) -> None:
    file = serves_logger(tmp_path)
    logs.in_replica({"REDACTION_HOOK": f"{__name__}:broken"})
    logging.getLogger("serve_app.session").error("about %s", SECRET)
    logging.getLogger("serve_app.session").error("and %s", SECRET)
    withheld, warnings = [], []
    for line in lines(file):
        (withheld if line["message"] == WITHHELD else warnings).append(line["message"])
    assert len(withheld) >= 2
    [warning] = warnings
    assert warning.startswith("REDACTION_HOOK raised KeyError")
    assert SECRET not in file.read_text()


def broken(text: str) -> str:
    raise KeyError(text)


@pytest.mark.parametrize("wrong", [{"LOG_LEVEL": "loud"}, {"REDACTION_HOOK": "no_such_module:f"}])
def test_what_cannot_be_is_said_at_the_start(logging_as_it_was: None, wrong: dict[str, str]) -> None:
    for begin in (logs.in_replica, logs.on_stderr):
        with pytest.raises(ConfigurationError):
            begin(wrong)


def test_a_class_on_its_own_leaves_logging_as_it_is(logging_as_it_was: None) -> None:
    before = logging.root.handlers[:]
    logs.in_replica({})
    assert logging.root.handlers == before


# ---- on stderr


def test_on_a_terminal_lines_are_for_people_and_in_a_file_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logging_as_it_was: None
) -> None:
    """The same descriptor, first one and then the other, as the launcher's."""
    reader, terminal = os.openpty()
    with open(terminal, "w", encoding="utf-8") as stderr, (tmp_path / "log").open("w+b") as file:
        monkeypatch.setattr(sys, "stderr", stderr)
        logs.on_stderr({})
        logging.getLogger("serve_app.launch").error("bad: CPF %s", CPF)
        shown = os.read(reader, 1000).decode()
        os.dup2(file.fileno(), terminal)
        logging.getLogger("serve_app.launch").error("bad: CPF %s", CPF)
        [line] = lines(tmp_path / "log")
    os.close(reader)
    assert shown.startswith("\033[31m")
    assert "error    serve_app.launch bad: CPF [CPF]" in shown
    assert line["message"] == "bad: CPF [CPF]"
