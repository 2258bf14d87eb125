"""YAML files, each over those before it, as one struct; what is wrong with them is told with file and line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from serve_app.errors import ConfigurationError
from serve_app.serve_config.files import text_of
from serve_app.serve_config.overlay import layered
from serve_app.serve_config.problem import Problem, refuse, told
from serve_app.serve_config.tree import Item, read
from serve_app.serve_config.tree import Path as Way
from serve_app.serve_config.whereabouts import problem_at

T = TypeVar("T")
Layers = Mapping[Path, Item]

_REFUSAL = re.compile(r"^(?P<said>.*?)(?: - at (?:`key` in )?`\$(?P<way>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>\w+)|\[(?P<number>\d+)\]|(?P<any>\[\.\.\.\])")
_NAME = re.compile(r"[`'](\w+)[`']")


def layer(path: Path) -> Item:
    """Raises ConfigurationError for a file that is missing, no YAML, or without a key."""
    text = text_of(path)
    if not _has_keys(text):
        refuse(path, [Problem(1, "", "there are no keys here: look at another file of its kind")])
    tree, problems = read(text)
    refuse(path, problems)
    return tree


def converted(layers: Layers, kind: type[T]) -> T:
    """Of all of them; the last one counts most. Raises ConfigurationError for what `kind` does not take."""
    plain = layered([*layers.values()]).plain
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as e:
        found = _REFUSAL.fullmatch(str(e))
        assert found, "every text has this form"
        way = _way(found["way"] or "", plain, kind, str(e))
        raise ConfigurationError(placed(found["said"], way, layers)) from e


def _has_keys(text: str) -> bool:
    try:
        return isinstance(yaml.compose(text, Loader=yaml.CSafeLoader), yaml.MappingNode)
    except yaml.YAMLError:
        return True  # perhaps: what is wrong with it is told by `read`


def _way(written: str, plain: Any, kind: type[Any], refusal: str) -> Way:
    """Of msgspec's "$.calls.bursts[0].at". It writes "[...]" for any key of a dict."""
    way: Way = ()
    for step in _STEP.finditer(written):
        if step["any"]:
            way += (_refused_key(way, plain, kind, refusal),)
        else:
            way += (int(step["number"]) if step["number"] else step["key"],)
    return way


def _refused_key(way: Way, plain: Any, kind: type[Any], refusal: str) -> str:
    """That which is refused in the same words when it is the only one there."""
    keys = plain
    for step in way:
        keys = keys[step]
    return next(str(key) for key in keys if _refusal(_with_only(key, way, plain), kind) == refusal)


def _with_only(key: str, way: Way, plain: Any) -> Any:
    if not way:
        return {key: plain[key]}
    return plain | {way[0]: _with_only(key, way[1:], plain[way[0]])}


def _refusal(plain: Any, kind: type[Any]) -> str:
    try:
        msgspec.convert(plain, kind)
    except msgspec.ValidationError as e:
        return str(e)
    return ""


def placed(said: str, way: Way, layers: Layers) -> str:
    """In the layer that has most of the way; of several, the last one, which counts. A key that is named in what is
    `said`, an unknown one, is the end of the way."""
    named = ((*way, name) for name in _NAME.findall(said))
    way = next((each for each in named if any(tree.at(*each) for tree in layers.values())), way)
    path, tree = min(reversed([*layers.items()]), key=lambda each: len(each[1].nearest(way)[1]))
    item = tree.at(*way)
    if said.startswith("Expected `str`") and item and item.text:
        said += f": put {item.text} in quotes"
    return told(path, problem_at(tree, way, said))
