"""Agents as files: a folder with one AGENT_ID.yaml for each, checked whole when it is read."""

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from serve_app.agent_checks import problems, transfer_problems
from serve_app.conversation.agent import Agent
from serve_app.conversation.unserved import refused, without
from serve_app.errors import ConfigurationError

_AGENT_ID = re.compile(r"[A-Za-z0-9_-]+")


def load_agents(folder: Path, environ: Mapping[str, str]) -> dict[str, Agent]:
    """The agents by their ids. `environ` holds their secrets.

    Raises ConfigurationError, which names the first file that is wrong, and what is wrong in it: all of what is not
    served, or else of what cannot work; of what cannot be read, or has the wrong type, the first.
    """
    _check_names(folder)
    agents = {path.stem: _load_agent(path, environ) for path in sorted(folder.glob("*.yaml"))}
    if not agents:
        raise ConfigurationError(f"there is no agent in {folder}: put one file AGENT_ID.yaml there for each")
    for agent_id in agents:
        _check(folder / f"{agent_id}.yaml", transfer_problems(agent_id, agents))
    return agents


def _check_names(folder: Path) -> None:
    """A file that were passed over would be an agent that is missing."""
    if others := sorted(path.name for path in folder.iterdir() if path.suffix in (".yml", ".json")):
        raise ConfigurationError(
            f"agents are files AGENT_ID.yaml: rename {', '.join(others)} in {folder} (JSON is YAML)"
        )


def _load_agent(path: Path, environ: Mapping[str, str]) -> Agent:
    if not _AGENT_ID.fullmatch(path.stem):
        raise ConfigurationError(f"agent file {path}: an agent_id is made of letters, digits, - and _: rename the file")
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
        if isinstance(document, dict) and document.get("agent_id") == path.stem:
            del document["agent_id"]  # as the API answers it
        _check(path, refused(document))
        agent = msgspec.convert(without(document), Agent)
    except (yaml.YAMLError, ValueError, RecursionError) as e:  # msgspec.ValidationError is a ValueError
        raise ConfigurationError(f"agent file {path}: {e}") from e
    _check(path, problems(agent, environ))
    return agent


def _check(path: Path, complaints: Iterable[str]) -> None:
    if found := list(complaints):
        raise ConfigurationError("\n  ".join([f"agent file {path}:", *found]))


class _Loader(yaml.SafeLoader):
    """YAML whose values are JSON's, and text if they are not: not Norway's `no` as false, or 12:30 as 750."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A key that stands twice would hide its first value."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, "a key is text, and stands once", key.start_mark)
            seen.add(key.value)
            key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)", [*"-0123456789"]),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", [*"-0123456789"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)
