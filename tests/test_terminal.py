import os
from pathlib import Path

import pytest

from serve_app.terminal import Terminal


def test_a_step_is_one_line_also_after_a_remark(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    with terminal.step("first"):
        pass
    with terminal.step("second"):
        terminal.say("    still waiting")
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["first", "0.0", "s"]
    assert lines[1].split() == ["second"]
    assert lines[2] == "    still waiting"
    assert lines[3].split() == ["second", "0.0", "s"]


def test_progress_is_a_line_for_each_tenth_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    for percent in (0, 3, 9, 10, 45, 49, 100):
        terminal.progress("small", percent)
    assert [line.split() for line in capfd.readouterr().out.splitlines()] == [
        ["small", ".........................", "0", "%"],
        ["small", "##.......................", "10", "%"],
        ["small", "###########..............", "45", "%"],
        ["small", "#########################", "100", "%"],
    ]


def test_progress_is_one_bar_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    standard = os.dup(1)
    os.dup2(theirs, 1)
    try:
        terminal = Terminal()
    finally:
        os.dup2(standard, 1)
        os.close(standard)
    for percent in (1, 2):
        terminal.progress("small", percent)
    terminal.say("remark")
    written = ""
    while not written.endswith("remark\r\n"):  # a terminal hands out what it has, which need not be all
        written += os.read(ours, 1000).decode()
    os.close(theirs)
    os.close(ours)
    _, first, rest = written.replace("\r\n", "\n").split("\r")
    second, remark = rest.splitlines()
    assert first.endswith("  1 %")
    assert second.endswith("  2 %")
    assert remark == "remark"


def test_a_failed_step_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    with pytest.raises(ZeroDivisionError), terminal.step("first"):
        raise ZeroDivisionError
    assert capfd.readouterr().out.split() == ["first", "failed"]


def test_other_output_goes_to_the_file(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    terminal = Terminal()
    with terminal.output_to(tmp_path / "log"):
        os.write(2, b"noise\n")
        terminal.say("seen")
    os.write(2, b"after\n")
    assert capfd.readouterr() == ("seen\n", "after\n")
    assert (tmp_path / "log").read_text() == "noise\n"


def test_a_closed_terminal_is_spoken_to_in_vain() -> None:
    reader, writer = os.pipe()
    standard = os.dup(1)
    os.dup2(writer, 1)
    try:
        terminal = Terminal()
    finally:
        os.dup2(standard, 1)
        os.close(standard)
    os.close(writer)
    os.close(reader)
    with terminal.step("first"):
        terminal.say("nobody hears it")
