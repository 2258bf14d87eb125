"""A Dockerfile as its stages, for those who have no Docker: the instructions that ours uses, and no others.

After Docker's own reference (docs.docker.com/reference/dockerfile, and .dockerignore in its build context page).
"""

import fnmatch
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

KNOWN = ("COPY", "ENV", "RUN", "USER", "WORKDIR")


class UnknownInstruction(ValueError):
    """The Dockerfile has one that nothing here can carry out."""


@dataclass(frozen=True)
class Copy:
    """`COPY [--from=STAGE] SOURCE... TARGET`; without a stage from the build context."""

    sources: tuple[str, ...]
    target: str
    stage: str | None


@dataclass
class Stage:
    """`base` is an image, or the name of an earlier stage."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


def stages(text: str) -> dict[str, Stage]:
    """By name, in order. Raises UnknownInstruction."""
    found: dict[str, Stage] = {}
    for instruction in _instructions(text):
        name, _, argument = instruction.partition(" ")
        argument = argument.strip()
        if name == "FROM":
            base, _, stage = argument.partition(" AS ")
            found[stage] = Stage(stage, base)
        elif name in KNOWN:
            found[[*found][-1]].instructions.append((name, argument))
        else:
            raise UnknownInstruction(instruction)
    return found


def copy(argument: str) -> Copy:
    *words, target = shlex.split(argument)
    options = [word for word in words if word.startswith("--")]
    if unknown := [option for option in options if not option.startswith("--from=")]:
        raise UnknownInstruction(f"COPY {unknown[0]}")
    stage = options[0].removeprefix("--from=") if options else None
    return Copy(tuple(word for word in words if word not in options), target, stage)


def assignments(argument: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Of ENV: `KEY=VALUE ...`, with $KEY and ${KEY} as they are in `environment`."""
    expanded = re.sub(r"\$\{?(\w+)\}?", lambda match: environment.get(match[1], ""), argument)
    return dict(word.split("=", 1) for word in shlex.split(expanded))


def in_context(path: str, ignored: Iterable[str]) -> bool:
    """Whether Docker sees the file: the last pattern of .dockerignore that fits it, or a folder it is in, decides."""
    places = [str(place) for place in (PurePosixPath(path), *PurePosixPath(path).parents)]
    seen = True
    for pattern in ignored:
        bare = pattern.removeprefix("!")
        if any(_fits(place, bare) for place in places):
            seen = pattern.startswith("!")
    return seen


def patterns(text: str) -> list[str]:
    """Of a .dockerignore."""
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _fits(place: str, pattern: str) -> bool:
    """`**/` is any number of folders; `*` does not go over a slash."""
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(PurePosixPath(place).name, pattern.removeprefix("**/"))
    return place.count("/") == pattern.count("/") and fnmatch.fnmatch(place, pattern)


def _instructions(text: str) -> Iterable[str]:
    """Each on one line, without comments."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return (line.strip() for line in re.sub(r"\\\n\s*", "", lines).splitlines() if line.strip())
