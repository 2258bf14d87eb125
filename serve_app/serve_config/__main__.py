"""`python -m serve_app.serve_config make`, or `check [FILE...]`: behind `make configs` and `make check-configs`."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from serve_app.errors import ConfigurationError
from serve_app.serve_config import files
from serve_app.serve_config.check import checked
from serve_app.serve_config.longest_call import longest_call_s
from serve_app.serve_config.manifest import manifests
from serve_app.terminal import Terminal


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m serve_app.serve_config", description=__doc__)
    doing = parser.add_subparsers(dest="doing", required=True)
    doing.add_parser("make", help="make every config, and the Kubernetes manifests with them")
    checking = doing.add_parser("check", help="say all that is wrong with configs")
    checking.add_argument("config", nargs="*", type=Path, help="without any: all of ours, and whether they are as made")
    given = parser.parse_args()
    terminal = Terminal()
    try:
        if given.doing == "make":
            make()
        elif given.config:
            check(given.config, terminal)
        else:
            check([files.config_of(name) for name in files.names()], terminal)
            check_made()
    except ConfigurationError as e:
        terminal.say(e.message)
        return 1
    return 0


def make() -> None:
    """Raises ConfigurationError."""
    for path, text in made():
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as e:
            raise ConfigurationError(f"cannot write {path}: {e.strerror}") from e


def made() -> Iterator[tuple[Path, str]]:
    """Every file that is made, and its text. Manifests hold configs, which are to be written before more is asked."""
    for name in files.names():
        yield files.config_of(name), files.made(name)
    yield from manifests().items()


def check(configs: Sequence[Path], terminal: Terminal) -> None:
    """Raises ConfigurationError with all that is wrong with all of them."""
    longest_s = longest_call_s(Path(os.environ.get("AGENTS_DIR") or files.CONFIGS / "agents"))
    problems: list[str] = []
    for path in configs:
        try:
            checked(path, longest_s)
        except ConfigurationError as e:
            problems.append(e.message)
        else:
            terminal.say(f"{path} is well")
    if problems:
        raise ConfigurationError("\n".join(problems))


def check_made() -> None:
    """Raises ConfigurationError for those that are not what they would be if they were made now, or would not be."""
    texts = dict(made())
    if old := [path for path, text in texts.items() if not path.exists() or files.text_of(path) != text]:
        raise ConfigurationError(f"{_named(old)}: not as they would be made now; `make configs`")
    there = (path for folder in {path.parent for path in texts} for path in folder.glob("*.yaml"))
    if orphans := [path for path in there if path not in texts and files.text_of(path).startswith(files.MADE)]:
        raise ConfigurationError(f"{_named(orphans)}: made of an overlay that is gone; take it out")


def _named(paths: Iterable[Path]) -> str:
    return ", ".join(sorted(str(path.relative_to(files.CONFIGS)) for path in paths))


if __name__ == "__main__":
    sys.exit(main())
