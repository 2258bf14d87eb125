"""cluster.yaml and what stands beside it, as tests read them."""

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
CLUSTER = REPOSITORY / "cluster.yaml"
AWS = REPOSITORY / "configs" / "aws"
DOCS = REPOSITORY / "docs" / "regions.md"


def cluster() -> dict[str, Any]:
    """cluster.yaml, as it stands."""
    config: dict[str, Any] = yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))
    return config


def start_commands() -> dict[str, str]:
    """What starts Ray, of `head` and `worker`: shell commands."""
    config = cluster()
    return {kind: config[f"{kind}_start_ray_commands"][-1] for kind in ("head", "worker")}


def start_flags(kind: str) -> dict[str, str]:
    """What `ray start` is told there: `--port` to `6379`. A flag without a value has an empty one."""
    words = shlex.split(start_commands()[kind])
    flags = [word.partition("=") for word in words if word.startswith("--")]
    return {name: value for name, _, value in flags}


def environment_of(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of a file that Ray's nodes read."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(re.findall(r'^(\w+)="?(.*?)"?$', "\n".join(lines), re.MULTILINE))


def command_in_docs(beginning: str) -> str:
    """The one command of docs/regions.md that begins so, with the lines it goes on in."""
    lines = rf"^ *({re.escape(beginning)}(?:.*\\\n)*.*)$"
    [found] = re.findall(lines, DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)
