"""The strict check of a Serve config: everything that is wrong with it, with lines, before Serve is given it."""

from pathlib import Path

from serve_app.serve_config import completeness, files, own_schema, places, relations, serve_schema
from serve_app.serve_config.longest_call import DEFAULT_CALL_S
from serve_app.serve_config.problem import Problem, refuse
from serve_app.serve_config.tree import Item, read


def checked(path: Path, longest_call_s: float = DEFAULT_CALL_S) -> Item:
    """The config there. One of ours is of the region that it is called after.

    Raises ConfigurationError: it cannot be read, or all that is wrong with it.
    """
    is_ours = path.resolve().parent == files.CONFIGS.resolve()
    tree, found = check(files.text_of(path), longest_call_s, path.stem if is_ours else None)
    refuse(path, found)
    return tree


def check(text: str, longest_call_s: float = DEFAULT_CALL_S, region: str | None = None) -> tuple[Item, list[Problem]]:
    """The config, and what is wrong with it, by lines.

    `longest_call_s`: what a region's gateways must outlast. `region`: whose labels it may have; None: of any, but one.
    """
    tree, found = read(text)
    if not found:
        found += serve_schema.problems(tree)
        found += own_schema.problems(tree)
        found += completeness.problems(tree)
        found += places.problems(tree, region)
        found += relations.problems(tree, longest_call_s)
    return tree, found
