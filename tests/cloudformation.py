"""CloudFormation's templates as tests read them."""

from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Of the short forms of its functions: !Ref X is X, others are not looked into."""


_Loader.add_multi_constructor("!", lambda loader, tag, node: node.value)


def resources(path: Path) -> dict[str, Any]:
    """Of the template at `path`, by name."""
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)["Resources"]
    return found
