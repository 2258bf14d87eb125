"""What Serve's own models say of a config, and what they leave unsaid: most of them take any key without a word."""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ray.runtime_env import RuntimeEnv
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy
from ray.serve.schema import ServeDeploySchema

from serve_app.serve_config.problem import Problem
from serve_app.serve_config.tree import Item, Path
from serve_app.serve_config.whereabouts import problem_at

REGION, GROUP, MARKET = "ray.io/availability-region", "ray.io/node-group", "ray.io/market-type"
LABELS = (REGION, GROUP, MARKET, "ray.io/accelerator-type")
"""Those that our nodes have: a selector with any other would wait for a node for ever."""

_UNTYPED: Mapping[str, type[BaseModel]] = {"autoscaling_policy": AutoscalingPolicy}
"""Keys that are a plain dict in Serve's schema, and whose model is elsewhere."""
_KNOWN_KEYS: Mapping[str, frozenset[str]] = {
    "label_selector": frozenset(LABELS),
    "fallback_strategy": frozenset({"label_selector"}),  # all that Ray 2.60 takes there (_private/label_utils.py)
    "runtime_env": frozenset(RuntimeEnv.known_fields),
}


def taken_by_serve(config: Any) -> ServeDeploySchema:
    """Plain values as Serve takes them. Raises pydantic's ValidationError."""
    with _meant():
        return ServeDeploySchema.model_validate(config)


def problems(tree: Item) -> Iterator[Problem]:
    """Unknown keys, wrong types, values out of bounds: all that there are."""
    odd = [path for path in deployments(tree) if (item := tree.at(*path)) and not isinstance(item.value, dict)]
    yield from (problem_at(tree, path, "a deployment says its name, and how it runs: write both") for path in odd)
    if odd:
        return  # Serve's model fails on it, without a word that helps
    yield from _unknown_keys(tree, tree, (), ServeDeploySchema)
    yield from _invalid(tree, (), ServeDeploySchema)
    for path in deployments(tree):
        if (scaling := tree.at(*path, "autoscaling_config")) and scaling.entries:  # Serve's schema takes any dict
            yield from _invalid(tree, (*path, "autoscaling_config"), AutoscalingConfig)


def applications(tree: Item) -> Iterator[Path]:
    found = tree.at("applications")
    return (("applications", number) for number in range(len(found.elements) if found else 0))


def deployments(tree: Item) -> Iterator[Path]:
    """Of every application."""
    for application in applications(tree):
        if found := tree.at(*application, "deployments"):
            yield from ((*application, "deployments", number) for number in range(len(found.elements)))


def unknown(tree: Item, path: Path, known: frozenset[str], who: str) -> Problem:
    """A key that `who` does not know, and the one that was probably meant."""
    meant = get_close_matches(str(path[-1]), list(known), 1)
    advice = f"did you mean {meant[0]}?" if meant else "take it out, or move it to the block it belongs to"
    return problem_at(tree, path, f"{who} knows no such key here: {advice}")


def _unknown_keys(tree: Item, item: Item, path: Path, model: type[BaseModel]) -> Iterator[Problem]:
    for key, entry in item.entries.items():
        here, field = (*path, key), model.model_fields.get(key)
        if field is None:
            yield unknown(tree, here, frozenset(model.model_fields), "Serve")
        elif key in _KNOWN_KEYS:
            yield from _others(tree, entry, here, _KNOWN_KEYS[key])
        elif nested := _UNTYPED.get(key) or _model_in(field.annotation):
            yield from _unknown_keys(tree, entry, here, nested)
            for number, element in enumerate(entry.elements):
                yield from _unknown_keys(tree, element, (*here, number), nested)


def _others(tree: Item, item: Item, path: Path, known: frozenset[str]) -> Iterator[Problem]:
    """Keys besides the known ones, in a mapping or in those of a list; and in the selectors of these."""
    for key, entry in item.entries.items():
        if key not in known:
            yield unknown(tree, (*path, key), known, "Ray")
        elif key == "label_selector":
            yield from _others(tree, entry, (*path, key), _KNOWN_KEYS[key])
    for number, element in enumerate(item.elements):
        yield from _others(tree, element, (*path, number), known)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in Optional[Union[Dict, Model]], List[Model] and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _invalid(tree: Item, path: Path, model: type[BaseModel]) -> Iterator[Problem]:
    """Strict, as JSON, where names of enums are strings: else "80", or yes, would do for a number."""
    item = tree.at(*path)
    try:
        with _meant():
            model.model_validate_json(json.dumps(item.plain if item else None, default=str), strict=True)
    except ValidationError as e:
        for error in e.errors(include_url=False):
            if error["type"] != "extra_forbidden":  # told above, with what was meant
                yield _told(tree, (*path, *error["loc"]), error["type"], error["msg"])


@contextmanager
def _meant() -> Iterator[None]:
    """AutoscalingConfig calls metrics_interval_s deprecated. In Ray 2.60 nothing else does what it does."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The `metrics_interval_s` field", DeprecationWarning)
        warnings.filterwarnings("ignore", "`look_back_period_s`", FutureWarning)  # told by `relations`
        yield


def _told(tree: Item, path: Path, kind: str, message: str) -> Problem:
    if kind == "missing":
        return problem_at(tree, path, "it is missing: Serve wants it")
    item, rest = tree.nearest(path)
    there = path[: len(path) - len(rest)]  # without the names of pydantic's that are no keys
    given = "" if item.entries or item.elements else f", not {item.text or 'nothing'}"
    return problem_at(tree, there, f"{message.removeprefix('Value error, ')}{given}")
