"""What is ours in a config: `args` of the application, and each deployment's `user_config`."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect
from pydantic import ValidationError

from serve_app.app import Arguments
from serve_app.serve_config.graph import USER_CONFIGS
from serve_app.serve_config.problem import Problem
from serve_app.serve_config.serve_schema import applications, deployments, unknown
from serve_app.serve_config.tree import Item, Path
from serve_app.serve_config.whereabouts import problem_at

_shape = cache(inspect.type_info)

_PLACE = re.compile(r"^(?P<said>.*?)(?: - at `\$(?P<way>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>\w+)|\[(?P<number>\d+)\]")


def problems(tree: Item) -> Iterator[Problem]:
    for path in applications(tree):
        if args := tree.at(*path, "args"):
            yield from _arguments(tree, args, (*path, "args"))
    for path in deployments(tree):
        name = tree.at(*path, "name")
        kind = USER_CONFIGS.get(str(name.value)) if name else None
        if given := tree.at(*path, "user_config"):
            yield from _user_config(tree, given, (*path, "user_config"), kind)


def _arguments(tree: Item, args: Item, path: Path) -> Iterator[Problem]:
    for key, field in Arguments.model_fields.items():
        if isinstance(args.value, dict) and key not in args.entries:
            yield problem_at(tree, (*path, key), f"it is missing: {_say(field.default)}")
    try:
        Arguments.model_validate(args.plain, strict=True)
    except ValidationError as e:
        for error in e.errors(include_url=False):
            here = (*path, *error["loc"])
            if error["type"] == "extra_forbidden":
                yield unknown(tree, here, frozenset(Arguments.model_fields), "the application")
            else:
                yield problem_at(tree, here, error["msg"])


def _user_config(tree: Item, given: Item, path: Path, kind: type[msgspec.Struct] | None) -> Iterator[Problem]:
    if kind is None:
        yield problem_at(tree, path, "this deployment has nothing to tune: take it out")
        return
    found = [*_wrong_keys(tree, given, path, _shape(kind))]
    yield from found
    if found:
        return  # what msgspec says next might be of those
    whole_is_well = True
    for field in msgspec.structs.fields(kind):
        if entry := given.entries.get(field.encode_name):
            for problem in _refused(tree, entry, (*path, field.encode_name), field.type):
                whole_is_well = False
                yield problem
    if whole_is_well:
        yield from _refused(tree, given, path, kind)


def _wrong_keys(tree: Item, item: Item, path: Path, kind: inspect.Type) -> Iterator[Problem]:
    """Unknown ones, of which msgspec tells the first alone; and missing ones, for which it takes the default: who
    reads the file should see what is in force."""
    for each in kind.types if isinstance(kind, inspect.UnionType) else (kind,):
        if isinstance(each, inspect.StructType) and isinstance(item.value, dict):
            fields = {field.encode_name: field for field in each.fields}
            for key in fields.keys() - item.entries.keys():
                yield problem_at(tree, (*path, key), f"it is missing: {_default(fields[key])}")
            for key, entry in item.entries.items():
                if key in fields:
                    yield from _wrong_keys(tree, entry, (*path, key), fields[key].type)
                else:
                    yield unknown(tree, (*path, key), frozenset(fields), "our user_config")
        elif isinstance(each, inspect.DictType) and isinstance(names := each.key_type, inspect.LiteralType):
            known = frozenset(map(str, names.values))
            for key in item.entries.keys() - known:
                yield unknown(tree, (*path, key), known, "our user_config")
        elif isinstance(each, inspect.CollectionType):
            for number, element in enumerate(item.elements):
                yield from _wrong_keys(tree, element, (*path, number), each.item_type)


def _default(field: inspect.Field) -> str:
    if field.default is msgspec.NODEFAULT:
        return "nothing is meant without it"
    return _say(field.default)


def _say(default: Any) -> str:
    return f"say {msgspec.json.encode(default).decode()} if you mean the default"


def _refused(tree: Item, item: Item, path: Path, kind: Any) -> Iterator[Problem]:
    """As a replica would refuse it."""
    try:
        msgspec.convert(item.plain, kind)
    except msgspec.ValidationError as e:
        found = _PLACE.fullmatch(str(e))
        assert found, "every text has this form"
        steps = _STEP.finditer(found["way"] or "")
        way = (int(step["number"]) if step["number"] else step["key"] for step in steps)
        yield problem_at(tree, (*path, *way), found["said"])
