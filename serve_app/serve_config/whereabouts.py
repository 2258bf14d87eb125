"""How a place in a config is told to people: deployments.Gateway.max_ongoing_requests, and its line."""

from serve_app.serve_config.problem import Problem
from serve_app.serve_config.tree import Item, Path


def problem_at(tree: Item, path: Path, message: str) -> Problem:
    """At the line of what stands there, or of the block that it is missing from."""
    item, _ = tree.nearest(path)
    return Problem(item.line, named(tree, path), message)


def named(tree: Item, path: Path) -> str:
    """With the names of list elements that have one. An application is not named where one of its deployments is."""
    steps: list[str] = []
    for depth, step in enumerate(path):
        if step == "deployments":
            steps.clear()
        steps.append(_step(tree, path[:depth], step))
    return ".".join(steps)


def _step(tree: Item, above: Path, step: str | int) -> str:
    if isinstance(step, str):
        return step
    name = tree.at(*above, step, "name")
    return str(name.value) if name else str(step)
