"""A tree as YAML that people read: with the comments of the files it was made from, without anchors."""

import json
import re
from collections.abc import Iterator

import yaml

from serve_app.serve_config.tree import Item

INDENT = 2

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w./-]*")


def rendered(tree: Item) -> str:
    """Ends with a newline. Reading it again gives the same values."""
    return "\n".join(line.rstrip() for line in _block(tree, 0)).strip("\n") + "\n"


def _block(item: Item, depth: int) -> Iterator[str]:
    """The lines of a mapping, or of a list."""
    pad = " " * depth
    for key, entry in item.entries.items():
        yield from _above(entry, pad)
        if _on_one_line(entry):
            yield f"{pad}{_key(key)}: {_flow(entry)}{_beside(entry)}"
        else:
            yield f"{pad}{_key(key)}:{_beside(entry)}"
            yield from _block(entry, depth + INDENT)
    for element in item.elements:
        yield from _above(element, pad)
        if _on_one_line(element):
            yield f"{pad}- {_flow(element)}{_beside(element)}"
        else:
            first, *rest = _block(element, depth + INDENT)
            yield f"{pad}- {first.lstrip()}"
            yield from rest


def _on_one_line(item: Item) -> bool:
    return item.flow or not (item.entries or item.elements)


def _flow(item: Item) -> str:
    if isinstance(item.value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(entry)}" for key, entry in item.entries.items()) + "}"
    if isinstance(item.value, list):
        return "[" + ", ".join(map(_flow, item.elements)) + "]"
    return item.text


def _key(key: str) -> str:
    """Quoted where it would not be text: null, on, 1."""
    is_plain = _PLAIN_KEY.fullmatch(key) and yaml.safe_load(key) == key
    return key if is_plain else json.dumps(key, ensure_ascii=False)


def _above(item: Item, pad: str) -> Iterator[str]:
    return (f"{pad}{line}" if line else "" for line in item.above)


def _beside(item: Item) -> str:
    return f" {item.beside}" if item.beside else ""
