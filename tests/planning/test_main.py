"""`make plan` as people see it."""

from datetime import date

import pytest

from serve_app.errors import ConfigurationError
from serve_app.planning.__main__ import main, plan
from serve_app.serve_config import files

COARSE_S = 60.0  # for speed: what it prints is looked at, not whether it is right


def test_a_plan_has_a_table_pictures_and_a_summary() -> None:
    lines = list(plan("sa-east-1", date(2026, 12, 6), COARSE_S))
    assert lines[0].startswith("sa-east-1 on Sunday, 06 December 2026 (America/Sao_Paulo), by serve_app.scaling.policy")
    assert [line.split()[0] for line in lines[2:27]] == ["hour", *(f"{hour:02}:00" for hour in range(24))]
    pictures = [line for line in lines if "┌" in line]
    assert ["calls: . places, - target, # open" in pictures[0], "G Gateway" in pictures[1]] == [True, True]
    assert all(mark in pictures[0] for mark in "#-.")
    assert any(line.startswith("USD ") and "a minute of one" in line for line in lines)
    assert any("limit" in line for line in lines)


def test_a_region_that_is_not_there_is_answered_with_those_that_are() -> None:
    answer = f"there is no region 'mars': there are {', '.join(files.regions())}"
    with pytest.raises(ConfigurationError, match=answer):
        next(plan("mars"))
    assert main(["mars"]) == answer


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_that_no_clock_knows_is_answered(day: str) -> None:
    assert main(["sa-east-1", "--day", day]) == f"no plan for {day}: take a day of the years 1971 to 2999"


@pytest.mark.parametrize("arguments", [[], ["sa-east-1", "--day", "tomorrow"]])
def test_what_cannot_be_meant_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "make plan" in capsys.readouterr().err
