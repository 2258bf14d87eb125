"""Where the configs are, and what is made of what."""

import re
from pathlib import Path

from serve_app.errors import ConfigurationError
from serve_app.serve_config.overlay import layered
from serve_app.serve_config.problem import refuse
from serve_app.serve_config.rendering import rendered
from serve_app.serve_config.tree import Item, header, read

CONFIGS = Path(__file__).parents[2] / "configs"
BASE, OVERLAYS = "base.yaml", "overlays"
LOCAL = "local"
MADE = "# Made by `make configs` from "
"""How every file begins that is made."""

_OVERLAY = re.compile(r"(?!(?:base|template)\.)[a-z0-9-]+\.yaml")
"""What is made of one called base or template would take the place of what it is made from."""


def names() -> list[str]:
    """Of all overlays: each has a config of its name, local among them.

    Raises ConfigurationError: an editor's copy would be a region, and a file that is passed over one that is missing.
    """
    found = sorted(path.name for path in (CONFIGS / OVERLAYS).glob("[!.]*"))
    if others := [name for name in found if not _OVERLAY.fullmatch(name)]:
        raise ConfigurationError(
            f"overlays are files REGION.yaml, of a-z, 0-9 and -, but not base or template: rename {', '.join(others)} "
            f"in {CONFIGS / OVERLAYS}, or take it out"
        )
    return [name.removesuffix(".yaml") for name in found]


def regions() -> list[str]:
    """Of all overlays but local. Raises ConfigurationError, as `names` does."""
    return [name for name in names() if name != LOCAL]


def config_of(name: str) -> Path:
    return CONFIGS / f"{name}.yaml"


def region_config(region: str) -> Path:
    """Raises ConfigurationError, with the names of those that there are, or if it has not been made yet."""
    if region not in (there := regions()):
        raise ConfigurationError(f"there is no region {region!r}: there are {', '.join(there)}")
    if not (config := config_of(region)).exists():
        raise ConfigurationError(f"{config} is not there yet: `make configs` makes it")
    return config


def made(name: str) -> str:
    """The config of that name, from the base and its overlay. Raises ConfigurationError."""
    overlay = CONFIGS / OVERLAYS / f"{name}.yaml"
    origin = f"{MADE}{BASE} and {OVERLAYS}/{name}.yaml: change those, not this."
    said = [origin, *header(text_of(overlay)), "#", *header(text_of(_base()))]
    return "\n".join([*said, "", rendered(layered([tree_of(_base()), tree_of(overlay)]))])


def on_one_machine(config: Path) -> str:
    """A region's config, with what is different on one machine. Raises ConfigurationError."""
    overlay = CONFIGS / OVERLAYS / f"{LOCAL}.yaml"
    return rendered(layered([tree_of(config), tree_of(overlay)]))


def tree_of(path: Path) -> Item:
    """Raises ConfigurationError if it cannot be read, or is no YAML."""
    tree, problems = read(text_of(path))
    refuse(path, problems)
    return tree


def text_of(path: Path) -> str:
    """Raises ConfigurationError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigurationError(f"cannot read {path}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigurationError(f"{path} is no text: {e}") from e


def _base() -> Path:
    return CONFIGS / BASE
