"""A YAML file as a tree that knows its lines and its comments, which plain values have lost.

Read as Serve reads it (YAML 1.1, merge keys and aliases resolved), but a key that stands twice is a problem, where
PyYAML would keep the last one without a word.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml

from serve_app.serve_config.problem import Problem

Path = tuple[str | int, ...]

_MERGE = "tag:yaml.org,2002:merge"
_COMMENT = re.compile(r"(?:^|\s)(#.*)")
_ANCHOR = re.compile(r"^((?:!\S*\s+)?)&[\w-]+\s*")
_TEXT = "tag:yaml.org,2002:str"
_BLOCK = ("|", ">")


@dataclass(frozen=True, slots=True)
class Item:
    """A value, and where it stands.

    `value`: items by their keys, a list of them, or a scalar. `line`: of its key or its dash, from 1. `text`: of a
    scalar, as it is written. `above`: lines of comment, or empty, over it; `beside`: the comment on its own line.
    `flow`: written between braces or brackets.
    """

    value: Any
    line: int
    text: str = ""
    above: tuple[str, ...] = ()
    beside: str = ""
    flow: bool = False

    @property
    def entries(self) -> "dict[str, Item]":
        """Of a mapping; of anything else none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def elements(self) -> "list[Item]":
        """Of a list; of anything else none."""
        return self.value if isinstance(self.value, list) else []

    @property
    def plain(self) -> Any:
        """Without lines and comments, as yaml.safe_load gives it."""
        if isinstance(self.value, dict):
            return {key: item.plain for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain for item in self.value]
        return self.value

    def at(self, *path: str | int) -> "Item | None":
        """What stands there, if anything does."""
        found, rest = self.nearest(path)
        return None if rest else found

    def nearest(self, path: Path) -> "tuple[Item, Path]":
        """The last item on the way there, and the rest of the way."""
        item = self
        for depth, step in enumerate(path):
            below = dict(enumerate(item.elements)) if isinstance(step, int) else item.entries
            if (nearer := cast(dict[str | int, Item], below).get(step)) is None:
                return item, path[depth:]
            item = nearer
        return item, ()


def read(text: str) -> tuple[Item, list[Problem]]:
    """The tree of a file, and what is wrong with it as YAML: of what cannot be parsed, the first alone."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        return Item({}, 1), [Problem(line, "", f"this is no YAML: {e.problem}")]
    except yaml.YAMLError as e:
        return Item({}, 1), [Problem(1, "", f"this is no YAML: {e}")]
    reader = _Reader(text)
    if not isinstance(node, yaml.MappingNode):
        return Item({}, 1), [Problem(1, "", "this is no Serve config: see configs/local.yaml for one")]
    return reader.item(node, 1), reader.problems


def header(text: str) -> tuple[str, ...]:
    """The comment at the beginning, if an empty line ends it: it is about the file and not about its first key."""
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return tuple(lines[:end]) if end < len(lines) and not lines[end].strip() else ()


class _Reader:
    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self._lines = text.splitlines()
        self._header = len(header(text))
        self._scalars = yaml.CSafeLoader("")
        self._open: list[yaml.Node] = []
        self._told_above: set[int] = set()
        self._last = 0  # line of the scalars read so far: what looks like a comment above it is part of one

    def item(self, node: yaml.Node, line: int, after: yaml.Mark | None = None) -> Item:
        """`after`: the end of its key, which says where a block's own comment stands."""
        if any(node is outer for outer in self._open):
            self._complain(line, "an alias cannot hold itself: write the value out")
            return Item(None, line)
        self._open.append(node)
        above, flow = self._above(line), bool(getattr(node, "flow_style", False))
        if isinstance(node, yaml.ScalarNode):
            end = node.end_mark
            self._last = max(self._last, end.line + bool(end.column))
            beside = self._beside(node.start_mark if node.style in _BLOCK else end)
            item = Item(self._scalar(node), line, self._text(node), above, beside)
        else:
            beside = self._beside(node.end_mark if flow or after is None else after) if flow or after else ""
            value = self._mapping(node) if isinstance(node, yaml.MappingNode) else self._list(node)
            item = Item(value, line, "", above, beside, flow)
        self._open.pop()
        return item

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Item]:
        own: dict[str, Item] = {}
        merged: dict[str, Item] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                for each in self._merged(value, line):
                    merged = each.entries | merged
            elif not isinstance(key, yaml.ScalarNode) or not isinstance(self._scalar(key), str):
                self._complain(line, f"a key is text: put {self._text(key)} in quotes")
            elif key.value in own:
                self._complain(
                    line, f"{key.value} stands twice in this block: take one out (line {own[key.value].line})"
                )
            else:
                own[key.value] = self.item(value, line, key.end_mark)
        return merged | own

    def _merged(self, node: yaml.Node, line: int) -> Iterator[Item]:
        """What `<<` brings in: a mapping, or several, of which the first counts most."""
        for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(each, yaml.MappingNode):
                yield self.item(each, each.start_mark.line + 1)
            else:
                self._complain(line, "<< takes a mapping: name one by its alias")

    def _list(self, node: yaml.Node) -> list[Item]:
        return [self.item(each, each.start_mark.line + 1) for each in node.value]

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as e:
            self._complain(node.start_mark.line + 1, f"{node.value} is no value: {e}")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._complain(node.start_mark.line + 1, f"{node.value} is no number that anybody can wait for or count to")
        return value

    def _text(self, node: yaml.Node) -> str:
        start, end = node.start_mark, node.end_mark
        if start.line == end.line:
            written = self._lines[start.line][start.column : end.column] if start.line < len(self._lines) else ""
            return _ANCHOR.sub(r"\1", written) or (written and "null")
        if isinstance(node, yaml.ScalarNode) and node.tag != _TEXT:
            return str(node.value)  # a number below its anchor
        return json.dumps(node.value, ensure_ascii=False, default=str)  # JSON is YAML, on one line

    def _above(self, line: int) -> tuple[str, ...]:
        """Of several items that begin on one line, the outermost has it."""
        if line in self._told_above:
            return ()
        self._told_above.add(line)
        first = line - 1
        while first > self._header:
            text = self._lines[first - 1].strip()
            if text and (first <= self._last or not text.startswith("#")):
                break
            first -= 1
        return tuple(each.strip() for each in self._lines[first : line - 1])

    def _beside(self, mark: yaml.Mark) -> str:
        rest = self._lines[mark.line][mark.column :] if mark.line < len(self._lines) else ""
        found = _COMMENT.search(rest)
        return found[1] if found else ""

    def _complain(self, line: int, message: str) -> None:
        self.problems.append(Problem(line, "", message))
