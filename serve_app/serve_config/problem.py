"""What is wrong in a config, and where: for the person who changes it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from serve_app.errors import ConfigurationError


class Problem(NamedTuple):
    """`line` counts from 1. `where` is the key's way through the file; `message` says what to do."""

    line: int
    where: str
    message: str


def refuse(path: Path, problems: Iterable[Problem]) -> None:
    """Raises ConfigurationError with all of them, a line for each, if there are any."""
    found = sorted(set(problems))
    if found:
        raise ConfigurationError("\n".join(told(path, problem) for problem in found))


def told(path: Path, problem: Problem) -> str:
    """As compilers do, so that editors find the line."""
    here = Path.cwd()
    file = path.relative_to(here) if path.is_relative_to(here) else path
    where = f"{problem.where}: " if problem.where else ""
    return f"{file}:{problem.line}: {where}{problem.message}"
